//! JSON for answers, written straight into a buffer that its thread keeps.

use std::cell::RefCell;

use bytes::Bytes;
use serde::Serialize;

/// Bytes of scratch space that a thread keeps: more than a full cart takes.
const LARGEST_SCRATCH: usize = 64 * 1024;

/// The JSON of a view. Views hold only strings, numbers and lists, which always have a JSON form.
pub fn encode(view: &impl Serialize) -> Bytes {
    written(|text| serde_json::to_writer(text, view).expect("a view has a JSON form"))
}

/// The bytes that `write` produces.
pub fn written(write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    thread_local! {
        /// Grown once for each thread: the answer itself, which may be kept, is exactly as long as its text.
        static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.clear();
        write(scratch);
        let text = Bytes::copy_from_slice(scratch);
        scratch.shrink_to(LARGEST_SCRATCH);
        text
    })
}
