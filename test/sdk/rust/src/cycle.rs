use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_ebs::operation::put_snapshot_block::builders::PutSnapshotBlockFluentBuilder;
use aws_sdk_ebs::types::{ChangedBlock, ChecksumAggregationMethod, ChecksumAlgorithm, Status, Tag};
use aws_sdk_ec2::client::Waiters;
use aws_sdk_ec2::types::{Filter, Tag as Ec2Tag};
use aws_smithy_types::base64;
use aws_smithy_types::date_time::Format;
use serde_json::{json, Value};
use sha2::{Digest, Sha256};

use crate::refusals::code;
use crate::{checksum, contents, Outcome, Program};

/// Contents by block index, in ascending order.
type Blocks = &'static [(i32, u8)];

/// What the snapshots have in the end.
pub const PARENT_BLOCKS: Blocks = &[(0, 7), (1, 0), (2_047, 4)];
const CHILD_OWN: Blocks = &[(1, 5), (4_095, 6)];
const CHILD_BLOCKS: Blocks = &[(0, 7), (1, 5), (2_047, 4), (4_095, 6)];

/// Completion takes milliseconds here, and the SDK's waiter asks again only after 15 s.
const PAUSE: Duration = Duration::from_millis(200);
const WAIT_MAX: Duration = Duration::from_secs(60);

impl Program {
    pub async fn identify(&self) -> Outcome<Value> {
        let caller = self.sts.get_caller_identity().send().await?;
        Ok(json!({ "account": caller.account(), "arn": caller.arn() }))
    }

    pub async fn start_parent(&mut self) -> Outcome<Value> {
        let started = self
            .ebs
            .start_snapshot()
            .volume_size(1)
            .description("the \"parent\", für alle")
            .tags(Tag::builder().key("Name").value("parent").build())
            .timeout(60)
            .send()
            .await?;
        self.parent = started.snapshot_id().unwrap_or_default().to_string();
        let tags: BTreeMap<_, _> = started.tags().iter().map(|t| (t.key(), t.value())).collect();
        Ok(json!({
            "snapshotId": started.snapshot_id(),
            "status": started.status().map(Status::as_str),
            "blockSize": started.block_size(),
            "volumeSize": started.volume_size(),
            "ownerId": started.owner_id(),
            "tags": named(tags),
            "description": started.description(),
            "startTime": started.start_time().map(|t| t.fmt(Format::DateTime)).transpose()?,
        }))
    }

    pub async fn put_parent(&self) -> Outcome<Value> {
        let mut checksums = vec![self.put(&self.parent, 0, 3).await?];
        for (index, number) in PARENT_BLOCKS {
            checksums.push(self.put(&self.parent, *index, *number).await?);
        }
        Ok(json!({ "checksums": checksums }))
    }

    pub async fn complete_parent(&self) -> Outcome<Value> {
        let status = self.complete(&self.parent, PARENT_BLOCKS).await?;
        let again = self.ebs.complete_snapshot().snapshot_id(&self.parent).changed_blocks_count(0);
        let again = again.send().await?;
        Ok(json!({ "status": status, "again": again.status().map(Status::as_str) }))
    }

    pub async fn describe_parent(&self) -> Outcome<Value> {
        let output = self.ec2.describe_snapshots().snapshot_ids(&self.parent).send().await?;
        let described = output.snapshots().first().ok_or("nothing is described")?;
        let tags: BTreeMap<_, _> = described.tags().iter().map(|t| (t.key(), t.value())).collect();
        Ok(json!({
            "snapshotId": described.snapshot_id(),
            "state": described.state().map(|state| state.as_str()),
            "progress": described.progress(),
            "ownerId": described.owner_id(),
            "volumeSize": described.volume_size(),
            "volumeId": described.volume_id(),
            "encrypted": described.encrypted(),
            "fullSize": described.full_snapshot_size_in_bytes(),
            "tags": named(tags),
            "startTime": described.start_time().map(|t| t.fmt(Format::DateTime)).transpose()?,
        }))
    }

    pub async fn make_child(&mut self) -> Outcome<Value> {
        let start = self.ebs.start_snapshot().volume_size(2).parent_snapshot_id(&self.parent);
        let started = start.send().await?;
        self.child = started.snapshot_id().unwrap_or_default().to_string();
        for (index, number) in CHILD_OWN {
            self.put(&self.child, *index, *number).await?;
        }
        let status = self.complete(&self.child, CHILD_OWN).await?;
        Ok(json!({
            "snapshotId": self.child,
            "parent": started.parent_snapshot_id(),
            "status": status,
            "blocks": self.read(&self.child, CHILD_BLOCKS).await?,
        }))
    }

    pub async fn compare(&self) -> Outcome<Value> {
        let forth = self.changes(&self.parent, &self.child).await?;
        let back = self.changes(&self.child, &self.parent).await?;
        let first = back.first().ok_or("nothing has changed")?;
        let index = first.block_index().unwrap_or_default();
        let get = self.ebs.get_snapshot_block().snapshot_id(&self.parent).block_index(index);
        let got = get.set_block_token(first.second_block_token().map(String::from)).send().await?;
        let data = got.block_data.collect().await?.into_bytes();
        Ok(json!({
            "forth": tell_changes(&forth),
            "back": tell_changes(&back),
            "oldBlockIsSame": data == contents(number_at(PARENT_BLOCKS, index)?),
        }))
    }

    pub async fn tag(&self) -> Outcome<Value> {
        let tag = |key: &str, value: &str| Ec2Tag::builder().key(key).value(value).build();
        let create = self.ec2.create_tags().resources(&self.child);
        create.tags(tag("Name", "child")).tags(tag("empty", "")).send().await?;
        let added = self.tags(&self.child).await?;
        let delete = self.ec2.delete_tags().resources(&self.child);
        delete.tags(Ec2Tag::builder().key("Name").build()).send().await?;
        Ok(json!({ "added": added, "left": self.tags(&self.child).await? }))
    }

    pub async fn list_pages(&self) -> Outcome<Value> {
        let (mut sizes, mut indexes) = (vec![], vec![]);
        let list = self.ebs.list_snapshot_blocks().snapshot_id(&self.long).max_results(100);
        let mut pages = list.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page?;
            sizes.push(page.blocks().len());
            indexes.extend(page.blocks().iter().map(|block| block.block_index()));
        }
        Ok(json!({ "sizes": sizes, "indexes": indexes }))
    }

    pub async fn delete_parent(&self) -> Outcome<Value> {
        let mut seen = self.delete_snapshot(&self.parent).await?;
        seen["blocks"] = self.read(&self.child, CHILD_BLOCKS).await?;
        Ok(seen)
    }

    /// Deletes, and tells how listing and describing are refused from then on.
    pub async fn delete_snapshot(&self, id: &str) -> Outcome<Value> {
        self.ec2.delete_snapshot().snapshot_id(id).send().await?;
        let listing = self.ebs.list_snapshot_blocks().snapshot_id(id).send().await;
        let describing = self.ec2.describe_snapshots().snapshot_ids(id).send().await;
        Ok(json!({ "listing": code(listing), "describing": code(describing) }))
    }

    async fn put(&self, id: &str, index: i32, number: u8) -> Outcome<String> {
        let output = self.block_of(id, index, contents(number)).send().await?;
        Ok(output.checksum().unwrap_or_default().to_string())
    }

    /// The request for a block that is well in every way.
    pub fn block_of(&self, id: &str, index: i32, data: Vec<u8>) -> PutSnapshotBlockFluentBuilder {
        self.ebs
            .put_snapshot_block()
            .snapshot_id(id)
            .block_index(index)
            .data_length(data.len() as i32)
            .checksum(checksum(&data))
            .checksum_algorithm(ChecksumAlgorithm::ChecksumAlgorithmSha256)
            .block_data(data.into())
    }

    /// Seals with the aggregate checksum and waits as the SDK does.
    async fn complete(&self, id: &str, written: Blocks) -> Outcome<Option<String>> {
        let mut aggregate = Sha256::new();
        for (_, number) in written {
            aggregate.update(Sha256::digest(contents(*number)));
        }
        let output = self
            .ebs
            .complete_snapshot()
            .snapshot_id(id)
            .changed_blocks_count(written.len() as i32)
            .checksum(base64::encode(aggregate.finalize()))
            .checksum_algorithm(ChecksumAlgorithm::ChecksumAlgorithmSha256)
            .checksum_aggregation_method(ChecksumAggregationMethod::ChecksumAggregationLinear)
            .send()
            .await?;
        tokio::time::sleep(PAUSE).await;
        self.ec2.wait_until_snapshot_completed().snapshot_ids(id).wait(WAIT_MAX).await?;
        Ok(output.status().map(|status| status.as_str().to_string()))
    }

    /// Lists a snapshot, gets every block and compares it with what was put.
    pub async fn read(&self, id: &str, expected: Blocks) -> Outcome<Value> {
        let listing = self.ebs.list_snapshot_blocks().snapshot_id(id).send().await?;
        let mut seen = vec![];
        for block in listing.blocks() {
            let index = block.block_index().unwrap_or_default();
            let get = self.ebs.get_snapshot_block().snapshot_id(id).block_index(index);
            let got = get.set_block_token(block.block_token().map(String::from)).send().await?;
            let mut facts = json!({
                "index": index,
                "checksum": got.checksum(),
                "length": got.data_length(),
                "algorithm": got.checksum_algorithm().map(ChecksumAlgorithm::as_str),
            });
            let data = got.block_data.collect().await?.into_bytes();
            facts["same"] = json!(data == contents(number_at(expected, index)?));
            seen.push(facts);
        }
        Ok(json!(seen))
    }

    async fn changes(&self, first: &str, second: &str) -> Outcome<Vec<ChangedBlock>> {
        let list = self.ebs.list_changed_blocks();
        let output = list.first_snapshot_id(first).second_snapshot_id(second).send().await?;
        Ok(output.changed_blocks().to_vec())
    }

    async fn tags(&self, id: &str) -> Outcome<Value> {
        let filter = Filter::builder().name("resource-id").values(id).build();
        let output = self.ec2.describe_tags().filters(filter).send().await?;
        let tags = output.tags().iter().map(|tag| (tag.key(), tag.value()));
        Ok(named(tags.collect()))
    }
}

fn named(tags: BTreeMap<Option<&str>, Option<&str>>) -> Value {
    let text = |part: Option<&str>| part.unwrap_or_default().to_string();
    tags.into_iter().map(|(key, value)| (text(key), json!(text(value)))).collect()
}

fn number_at(blocks: Blocks, index: i32) -> Outcome<u8> {
    let found = blocks.iter().find(|(at, _)| *at == index);
    Ok(found.ok_or_else(|| format!("block {index} was never put"))?.1)
}

/// Says of each block which of the snapshots have it.
fn tell_changes(changes: &[ChangedBlock]) -> Vec<Value> {
    let tell = |change: &ChangedBlock| {
        json!({
            "index": change.block_index(),
            "first": change.first_block_token().is_some(),
            "second": change.second_block_token().is_some(),
        })
    };
    changes.iter().map(tell).collect()
}
