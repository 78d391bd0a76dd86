//! What every command works with: how to speak, and where the node is.

use std::path::PathBuf;

use crate::arguments::{Arguments, Global};
use crate::client::Client;
use crate::failure::Failure;
use crate::output::Output;
use crate::place;

/// What every command works with.
pub(crate) struct Context {
    /// How to speak.
    pub output: Output,
    api: Option<String>,
    state_dir: Option<PathBuf>,
}

impl Context {
    /// Takes the options of every command.
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let Global {
            json,
            api,
            state_dir,
            quiet,
            ..
        } = &arguments.global;
        Self {
            output: Output::new(*json, *quiet),
            api: api.clone(),
            state_dir: state_dir.clone(),
        }
    }

    /// The state directory.
    ///
    /// # Errors
    /// There is no place for one.
    pub(crate) fn state_directory(&self) -> Result<PathBuf, Failure> {
        let state = place::state_directory(self.state_dir.as_deref())?;
        // Absolute, because it is printed for other shells to use.
        Ok(std::path::absolute(&state).unwrap_or(state))
    }

    /// A client of the local node, with its token where there is one.
    ///
    /// # Errors
    /// The address is wrong, or the token cannot be read.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let state = self.state_directory()?;
        let address = place::http_address(self.api.as_deref(), &state)?;
        Ok(Client::new(address, place::token(&state)?))
    }
}
