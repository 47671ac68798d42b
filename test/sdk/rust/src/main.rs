//! The full cycle of a snapshot and ten refusals through the AWS SDK for Rust, for
//! rust-cycle.test.ts. Standard output carries one JSON line for each step; the test compares them
//! with what it expects. The environment says which service to call, the one argument names a
//! snapshot of many blocks.

mod cycle;
mod refusals;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_types::base64;
use serde_json::{json, Value};
use sha2::{Digest, Sha256};

const BLOCK_SIZE_BYTES: usize = 524_288;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// The clients, and the snapshots that later steps need.
struct Program {
    settings: SdkConfig,
    ebs: aws_sdk_ebs::Client,
    ec2: aws_sdk_ec2::Client,
    sts: aws_sdk_sts::Client,
    parent: String,
    child: String,
    long: String,
}

fn main() -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run())
}

async fn run() -> Outcome<()> {
    let settings = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let mut program = Program {
        ebs: aws_sdk_ebs::Client::new(&settings),
        ec2: aws_sdk_ec2::Client::new(&settings),
        sts: aws_sdk_sts::Client::new(&settings),
        settings,
        parent: String::new(),
        child: String::new(),
        long: std::env::args().nth(1).ok_or("the first argument names a long snapshot")?,
    };
    program.go_through().await
}

impl Program {
    async fn go_through(&mut self) -> Outcome<()> {
        report("identify", self.identify().await?);
        report("start", self.start_parent().await?);
        report("put", self.put_parent().await?);
        report("complete", self.complete_parent().await?);
        report("describe", self.describe_parent().await?);
        report("read", json!({ "blocks": self.read(&self.parent, cycle::PARENT_BLOCKS).await? }));
        report("child", self.make_child().await?);
        report("compare", self.compare().await?);
        report("tag", self.tag().await?);
        report("pages", self.list_pages().await?);
        self.report_refusals().await?;
        report("deleteParent", self.delete_parent().await?);
        report("deleteChild", self.delete_snapshot(&self.child).await?);
        Ok(())
    }
}

fn report(step: &str, seen: Value) {
    println!("{}", json!({ "step": step, "seen": seen }));
}

/// A block's bytes by number; 0 is zeros.
fn contents(number: u8) -> Vec<u8> {
    vec![number; BLOCK_SIZE_BYTES]
}

fn checksum(bytes: &[u8]) -> String {
    base64::encode(Sha256::digest(bytes))
}
