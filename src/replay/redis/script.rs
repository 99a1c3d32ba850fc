//! Scripts, which are called by their hashes and sent where they are not known.

use ::redis::{
    Cmd, ErrorKind, FromRedisValue, Script, ServerErrorKind, aio::MultiplexedConnection,
};

use super::fault::Fault;

/// A script of ours.
pub(super) struct Source {
    text: &'static str,
    hashed: Script,
}

impl Source {
    pub(super) fn new(text: &'static str) -> Self {
        Self { text, hashed: Script::new(text) }
    }

    /// The beginning of a call with so many keys, which follow it, and after them the arguments.
    pub(super) fn call(&self, keys: usize) -> Cmd {
        let mut call = Cmd::with_capacity(12, 320);
        call.arg("EVALSHA").arg(self.hashed.get_hash()).arg(keys);
        call
    }

    pub(super) async fn run<T: FromRedisValue>(
        &self,
        call: &Cmd,
        connection: &mut MultiplexedConnection,
    ) -> Result<T, Fault> {
        match call.query_async(connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.load(connection).await?;
                Ok(call.query_async(connection).await?)
            }
            other => Ok(other?),
        }
    }

    /// Not that of the client, which asserts that the answer is the hash.
    async fn load(&self, connection: &mut MultiplexedConnection) -> Result<(), Fault> {
        let mut load = Cmd::new();
        load.arg("SCRIPT").arg("LOAD").arg(self.text);
        let hash: String = load.query_async(connection).await?;
        if hash == self.hashed.get_hash() {
            return Ok(());
        }
        Err(Fault::Away("it answers SCRIPT LOAD with another hash than that of ours".to_owned()))
    }
}
