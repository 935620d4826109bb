use std::{fmt, fs, io, path::Path};

use smartcart_domain::id::random_bytes;
use smartcart_persistence::directory;
use subtle::ConstantTimeEq as _;

/// The shop's own token: its holder may do everything.
#[derive(Clone)]
pub struct ServiceToken(String);

#[derive(Debug, thiserror::Error)]
pub enum ServiceTokenError {
    #[error("cannot read the service token's file {path}: {error}")]
    Read { path: String, error: io::Error },
    #[error("cannot create the service token's file {path}: {error}")]
    Create { path: String, error: io::Error },
    #[error("the service token in {path} must be at least {MIN_BYTES} visible ASCII characters")]
    Weak { path: String },
}

const MIN_BYTES: usize = 32;

impl fmt::Debug for ServiceToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceToken(..)")
    }
}

impl ServiceToken {
    pub fn load(path: &Path) -> Result<Self, ServiceTokenError> {
        let shown = || path.display().to_string();
        let text =
            fs::read_to_string(path).map_err(|error| ServiceTokenError::Read { path: shown(), error })?;
        let token = text.trim();
        if token.len() < MIN_BYTES || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ServiceTokenError::Weak { path: shown() });
        }
        Ok(Self(token.to_owned()))
    }

    /// Creates a random token on the first start. Only the file's owner can read it.
    pub fn load_or_create(path: &Path) -> Result<Self, ServiceTokenError> {
        let created = create_private(path, &format!("{:032x}{:032x}\n", draw(), draw()));
        match created {
            Ok(()) => Self::load(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::load(path),
            Err(error) => Err(ServiceTokenError::Create { path: path.display().to_string(), error }),
        }
    }

    /// Takes the same time wherever the tokens differ.
    pub fn is(&self, token: &str) -> bool {
        self.0.as_bytes().ct_eq(token.as_bytes()).into()
    }
}

fn draw() -> u128 {
    u128::from_be_bytes(random_bytes())
}

fn create_private(path: &Path, text: &str) -> io::Result<()> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    let path = std::path::absolute(path)?;
    let folder = path.parent().unwrap_or(&path);
    directory::create(folder)?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    directory::sync(folder)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_token_is_drawn_once_and_is_the_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/admin-token");
        let token = ServiceToken::load_or_create(&path).unwrap();
        assert!(ServiceToken::load_or_create(&path).unwrap().is(&token.0));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!token.is("") && !token.is(&token.0[1..]));
    }

    #[test]
    fn a_weak_token_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "secret").unwrap();
        assert!(matches!(ServiceToken::load(&path), Err(ServiceTokenError::Weak { .. })));
    }
}
