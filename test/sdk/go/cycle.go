package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ebs"
	"github.com/aws/aws-sdk-go-v2/service/ebs/types"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// Contents by block index, as the snapshots have them in the end.
var (
	parentBlocks = map[int32]byte{0: 7, 1: 0, 2_047: 4}
	childOwn     = map[int32]byte{1: 5, 4_095: 6}
	childBlocks  = map[int32]byte{0: 7, 1: 5, 2_047: 4, 4_095: 6}
)

func (p *program) identify() facts {
	caller := must(p.sts.GetCallerIdentity(p.ctx, &sts.GetCallerIdentityInput{}))
	return facts{"account": caller.Account, "arn": caller.Arn}
}

func (p *program) startParent() facts {
	started := must(p.ebs.StartSnapshot(p.ctx, &ebs.StartSnapshotInput{
		VolumeSize:  aws.Int64(1),
		Description: aws.String(`the "parent", für alle`),
		Tags:        []types.Tag{{Key: aws.String("Name"), Value: aws.String("parent")}},
		Timeout:     aws.Int32(60),
	}))
	p.parent = *started.SnapshotId
	tags := map[string]string{}
	for _, tag := range started.Tags {
		tags[*tag.Key] = *tag.Value
	}
	return facts{
		"snapshotId": started.SnapshotId, "status": started.Status, "blockSize": started.BlockSize,
		"volumeSize": started.VolumeSize, "ownerId": started.OwnerId, "tags": tags,
		"description": started.Description, "startTime": started.StartTime,
	}
}

func (p *program) putParent() facts {
	checksums := []string{p.put(p.parent, 0, 3)}
	for _, index := range slices.Sorted(maps.Keys(parentBlocks)) {
		checksums = append(checksums, p.put(p.parent, index, parentBlocks[index]))
	}
	return facts{"checksums": checksums}
}

func (p *program) completeParent() facts {
	status := p.complete(p.parent, parentBlocks)
	again := must(p.ebs.CompleteSnapshot(p.ctx, &ebs.CompleteSnapshotInput{
		SnapshotId: &p.parent, ChangedBlocksCount: aws.Int32(0),
	}))
	return facts{"status": status, "again": again.Status}
}

func (p *program) describeParent() facts {
	output := must(p.ec2.DescribeSnapshots(p.ctx, &ec2.DescribeSnapshotsInput{
		SnapshotIds: []string{p.parent},
	}))
	described := output.Snapshots[0]
	tags := map[string]string{}
	for _, tag := range described.Tags {
		tags[*tag.Key] = *tag.Value
	}
	return facts{
		"snapshotId": described.SnapshotId, "state": described.State,
		"progress": described.Progress, "ownerId": described.OwnerId,
		"volumeSize": described.VolumeSize, "volumeId": described.VolumeId,
		"encrypted": described.Encrypted, "fullSize": described.FullSnapshotSizeInBytes,
		"tags": tags, "startTime": described.StartTime,
	}
}

func (p *program) makeChild() facts {
	started := must(p.ebs.StartSnapshot(p.ctx, &ebs.StartSnapshotInput{
		VolumeSize: aws.Int64(2), ParentSnapshotId: &p.parent,
	}))
	p.child = *started.SnapshotId
	for index, number := range childOwn {
		p.put(p.child, index, number)
	}
	status := p.complete(p.child, childOwn)
	return facts{
		"snapshotId": p.child, "parent": started.ParentSnapshotId, "status": status,
		"blocks": p.read(p.child, childBlocks),
	}
}

func (p *program) compare() facts {
	forth := p.changes(p.parent, p.child)
	back := p.changes(p.child, p.parent)
	first := back[0]
	got := must(p.ebs.GetSnapshotBlock(p.ctx, &ebs.GetSnapshotBlockInput{
		SnapshotId: &p.parent, BlockIndex: first.BlockIndex, BlockToken: first.SecondBlockToken,
	}))
	data := must(io.ReadAll(got.BlockData))
	same := bytes.Equal(data, contents(parentBlocks[*first.BlockIndex]))
	return facts{"forth": tellChanges(forth), "back": tellChanges(back), "oldBlockIsSame": same}
}

func (p *program) tag() facts {
	name := ec2types.Tag{Key: aws.String("Name"), Value: aws.String("child")}
	empty := ec2types.Tag{Key: aws.String("empty"), Value: aws.String("")}
	resources := []string{p.child}
	must(p.ec2.CreateTags(p.ctx, &ec2.CreateTagsInput{
		Resources: resources, Tags: []ec2types.Tag{name, empty},
	}))
	added := p.tags(p.child)
	must(p.ec2.DeleteTags(p.ctx, &ec2.DeleteTagsInput{
		Resources: resources, Tags: []ec2types.Tag{{Key: aws.String("Name")}},
	}))
	return facts{"added": added, "left": p.tags(p.child)}
}

func (p *program) listPages() facts {
	sizes, indexes := []int{}, []int32{}
	input := &ebs.ListSnapshotBlocksInput{SnapshotId: &p.long, MaxResults: aws.Int32(100)}
	pages := ebs.NewListSnapshotBlocksPaginator(p.ebs, input)
	for pages.HasMorePages() {
		page := must(pages.NextPage(p.ctx))
		sizes = append(sizes, len(page.Blocks))
		for _, block := range page.Blocks {
			indexes = append(indexes, *block.BlockIndex)
		}
	}
	return facts{"sizes": sizes, "indexes": indexes}
}

func (p *program) deleteParent() facts {
	seen := p.deleteSnapshot(p.parent)
	seen["blocks"] = p.read(p.child, childBlocks)
	return seen
}

// deleteSnapshot deletes, and tells how listing and describing are refused from then on.
func (p *program) deleteSnapshot(id string) facts {
	must(p.ec2.DeleteSnapshot(p.ctx, &ec2.DeleteSnapshotInput{SnapshotId: &id}))
	_, listing := p.ebs.ListSnapshotBlocks(p.ctx, &ebs.ListSnapshotBlocksInput{SnapshotId: &id})
	_, describing := p.ec2.DescribeSnapshots(p.ctx, &ec2.DescribeSnapshotsInput{
		SnapshotIds: []string{id},
	})
	return facts{"listing": tellError(listing)["code"], "describing": tellError(describing)["code"]}
}

func (p *program) put(id string, index int32, number byte) string {
	data := contents(number)
	output := must(p.ebs.PutSnapshotBlock(p.ctx, blockOf(id, index, data)))
	return *output.Checksum
}

// blockOf is the request for a block that is well in every way.
func blockOf(id string, index int32, data []byte) *ebs.PutSnapshotBlockInput {
	return &ebs.PutSnapshotBlockInput{
		SnapshotId: &id, BlockIndex: &index, BlockData: bytes.NewReader(data),
		DataLength: aws.Int32(int32(len(data))), Checksum: aws.String(checksum(data)),
		ChecksumAlgorithm: types.ChecksumAlgorithmChecksumAlgorithmSha256,
	}
}

// complete seals with the aggregate checksum and waits as the SDK does.
func (p *program) complete(id string, written map[int32]byte) types.Status {
	aggregate := sha256.New()
	for _, index := range slices.Sorted(maps.Keys(written)) {
		digest := sha256.Sum256(contents(written[index]))
		aggregate.Write(digest[:])
	}
	output := must(p.ebs.CompleteSnapshot(p.ctx, &ebs.CompleteSnapshotInput{
		SnapshotId:                &id,
		ChangedBlocksCount:        aws.Int32(int32(len(written))),
		Checksum:                  aws.String(base64.StdEncoding.EncodeToString(aggregate.Sum(nil))),
		ChecksumAlgorithm:         types.ChecksumAlgorithmChecksumAlgorithmSha256,
		ChecksumAggregationMethod: types.ChecksumAggregationMethodChecksumAggregationLinear,
	}))
	waiter := ec2.NewSnapshotCompletedWaiter(p.ec2, func(o *ec2.SnapshotCompletedWaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Second, time.Second
	})
	input := &ec2.DescribeSnapshotsInput{SnapshotIds: []string{id}}
	must(0, waiter.Wait(p.ctx, input, time.Minute))
	return output.Status
}

// read lists a snapshot, gets every block and compares it with what was put.
func (p *program) read(id string, expected map[int32]byte) []facts {
	listing := must(p.ebs.ListSnapshotBlocks(p.ctx, &ebs.ListSnapshotBlocksInput{SnapshotId: &id}))
	seen := []facts{}
	for _, block := range listing.Blocks {
		got := must(p.ebs.GetSnapshotBlock(p.ctx, &ebs.GetSnapshotBlockInput{
			SnapshotId: &id, BlockIndex: block.BlockIndex, BlockToken: block.BlockToken,
		}))
		data := must(io.ReadAll(got.BlockData))
		seen = append(seen, facts{
			"index": block.BlockIndex, "checksum": got.Checksum, "length": got.DataLength,
			"algorithm": got.ChecksumAlgorithm,
			"same":      bytes.Equal(data, contents(expected[*block.BlockIndex])),
		})
	}
	return seen
}

func (p *program) changes(first, second string) []types.ChangedBlock {
	return must(p.ebs.ListChangedBlocks(p.ctx, &ebs.ListChangedBlocksInput{
		FirstSnapshotId: &first, SecondSnapshotId: &second,
	})).ChangedBlocks
}

// tellChanges says of each block which of the snapshots have it.
func tellChanges(changes []types.ChangedBlock) []facts {
	seen := []facts{}
	for _, change := range changes {
		seen = append(seen, facts{
			"index": change.BlockIndex, "first": change.FirstBlockToken != nil,
			"second": change.SecondBlockToken != nil,
		})
	}
	return seen
}

func (p *program) tags(id string) map[string]string {
	output := must(p.ec2.DescribeTags(p.ctx, &ec2.DescribeTagsInput{
		Filters: []ec2types.Filter{{Name: aws.String("resource-id"), Values: []string{id}}},
	}))
	tags := map[string]string{}
	for _, tag := range output.Tags {
		tags[*tag.Key] = aws.ToString(tag.Value)
	}
	return tags
}
