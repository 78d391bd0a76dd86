//! The token file: 256 random bits that open the HTTP surface to programs of the same user.

use std::path::Path;

use zeroize::Zeroizing;

use crate::error::StateError;
use crate::files;
use crate::keys::{hex, random, unhex};

/// Name of the token file.
pub const TOKEN_FILE: &str = "token";
/// 64 digits and the end of the line.
const TOKEN_FILE_BYTES: usize = 66;

/// A secret text; wiped when dropped, never printed by accident.
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// The text itself.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Reads the token of a directory that a running node may be using, as its clients do.
///
/// # Errors
/// Where there is none, it is damaged, readable by others or out of reach.
pub fn read_token(folder: &Path) -> Result<SecretText, StateError> {
    let missing = || {
        StateError::new(
            crate::StateErrorKind::System,
            format!("cannot read {}", folder.join(TOKEN_FILE).display()),
            "there is no token yet",
            "start a node with this state directory first",
        )
    };
    load(folder)?.ok_or_else(missing)
}

pub(crate) fn load_or_create(folder: &Path) -> Result<SecretText, StateError> {
    if let Some(token) = load(folder)? {
        return Ok(token);
    }
    let path = folder.join(TOKEN_FILE);
    let text = hex(random(&path)?.as_slice());
    let line = Zeroizing::new([text.as_bytes(), b"\n"].concat());
    files::replace(&path, &line).map_err(|e| StateError::system("write", &path, &e))?;
    Ok(SecretText(text))
}

fn load(folder: &Path) -> Result<Option<SecretText>, StateError> {
    let path = folder.join(TOKEN_FILE);
    let Some(bytes) = files::read_private(&path, TOKEN_FILE_BYTES)? else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes).unwrap_or_default().trim();
    if unhex(text).is_none() {
        let mut error = StateError::broken(&path, "it does not hold 64 hexadecimal digits");
        error.fix = "remove the file; the node makes a new token when it starts".to_owned();
        return Err(error);
    }
    Ok(Some(SecretText(Zeroizing::new(text.to_owned()))))
}
