use std::fmt::Debug;

use aws_sdk_ebs::config::Credentials;
use aws_sdk_ebs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ebs::Error;
use serde_json::{json, Value};

use crate::{checksum, contents, report, Outcome, Program};

const UNKNOWN_SNAPSHOT: &str = "snap-0ffffffffffffffff";

impl Program {
    /// Calls what the service must refuse, and reports each error as the SDK gives it.
    pub async fn report_refusals(&self) -> Outcome<()> {
        let ebs = &self.ebs;
        let token = "taken-in-rust";
        let start = ebs.start_snapshot().volume_size(1).client_token(token).send().await?;
        let pending = start.snapshot_id().unwrap_or_default();
        let block = contents(1);

        let list = ebs.list_snapshot_blocks().snapshot_id(UNKNOWN_SNAPSHOT);
        refusal("unknown snapshot", list.send().await);

        let put = self.block_of(pending, 0, block.clone()).checksum(checksum(&contents(99)));
        refusal("wrong checksum", put.send().await);

        let put = self.block_of(pending, 0, block.clone()).data_length(1);
        refusal("wrong length", put.send().await);

        let put = self.block_of(pending, 2_048, block.clone());
        refusal("index beyond", put.send().await);

        let put = self.block_of(&self.parent, 0, block);
        refusal("completed snapshot", put.send().await);

        let get = ebs.get_snapshot_block().snapshot_id(&self.parent).block_index(0);
        refusal("bad block token", get.block_token("bm90").send().await);

        let list = ebs.list_snapshot_blocks().snapshot_id(&self.parent);
        refusal("bad page token", list.next_token("bm90").send().await);

        let compare = ebs.list_changed_blocks().first_snapshot_id(&self.parent);
        refusal("unrelated snapshots", compare.second_snapshot_id(&self.long).send().await);

        let start = ebs.start_snapshot().volume_size(2).client_token(token);
        refusal("conflicting client token", start.send().await);

        let list = self.with_wrong_key()?.list_snapshot_blocks().snapshot_id(&self.parent);
        refusal("wrong key", list.send().await);
        Ok(())
    }

    fn with_wrong_key(&self) -> Outcome<aws_sdk_ebs::Client> {
        let id = std::env::var("AWS_ACCESS_KEY_ID")?;
        let wrong = Credentials::new(id, "wrong", None, None, "wrong key");
        let settings = aws_sdk_ebs::config::Builder::from(&self.settings);
        Ok(aws_sdk_ebs::Client::from_conf(settings.credentials_provider(wrong).build()))
    }
}

fn refusal<T: Debug, E>(name: &str, result: Result<T, E>)
where
    Error: From<E>,
{
    let mut seen = match result {
        Ok(output) => json!({ "code": "not refused", "message": format!("{output:?}") }),
        Err(error) => tell_error(&Error::from(error)),
    };
    seen["name"] = json!(name);
    report("refusal", seen);
}

/// An error as a caller of the SDK sees it; only some types carry a reason.
fn tell_error(error: &Error) -> Value {
    let reason = match error {
        Error::ValidationException(invalid) => invalid.reason().map(|reason| reason.as_str()),
        Error::ResourceNotFoundException(missing) => missing.reason().map(|reason| reason.as_str()),
        _ => None,
    };
    json!({
        "code": error.code().unwrap_or("not an answer"),
        "message": error.message().unwrap_or_default(),
        "reason": reason.unwrap_or_default(),
    })
}

/// The code alone, of a call that must be refused.
pub fn code<T, E, R>(result: Result<T, SdkError<E, R>>) -> Option<String>
where
    E: ProvideErrorMetadata,
{
    result.err()?.code().map(String::from)
}
