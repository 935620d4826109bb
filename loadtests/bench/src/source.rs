//! Where the load's requests come from: rendered beforehand, or while the clock runs.

/// The next request, or the end of them.
pub trait Source {
    /// Appends one request to `into`; false when there are no more.
    fn next(&mut self, into: &mut Vec<u8>) -> bool;
}

impl Source for Box<dyn Source> {
    fn next(&mut self, into: &mut Vec<u8>) -> bool {
        (**self).next(into)
    }
}

/// The same request again and again.
#[derive(Debug)]
pub struct Repeated(pub Vec<u8>);

impl Source for Repeated {
    fn next(&mut self, into: &mut Vec<u8>) -> bool {
        into.extend_from_slice(&self.0);
        true
    }
}

/// Requests that were rendered beforehand, each once.
#[derive(Debug)]
pub struct Prepared(pub std::vec::IntoIter<Vec<u8>>);

impl Prepared {
    pub fn new(requests: Vec<Vec<u8>>) -> Self {
        Self(requests.into_iter())
    }
}

impl Source for Prepared {
    fn next(&mut self, into: &mut Vec<u8>) -> bool {
        match self.0.next() {
            Some(request) => {
                into.extend_from_slice(&request);
                true
            }
            None => false,
        }
    }
}

/// A source that ends after so many requests.
#[derive(Debug)]
pub struct Limited<S> {
    pub of: S,
    pub left: usize,
}

impl<S: Source> Source for Limited<S> {
    fn next(&mut self, into: &mut Vec<u8>) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        self.of.next(into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_prepared_is_sent_once() {
        let mut source = Prepared::new(vec![b"a".to_vec(), b"b".to_vec()]);
        let mut sent = Vec::new();
        while source.next(&mut sent) {}
        assert_eq!(sent, b"ab");
    }
}
