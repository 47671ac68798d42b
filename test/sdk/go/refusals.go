package main

import (
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ebs"
	"github.com/aws/aws-sdk-go-v2/service/ebs/types"
	"github.com/aws/smithy-go"
)

const unknownSnapshot = "snap-0ffffffffffffffff"

// reportRefusals calls what the service must refuse, and reports each error as the SDK gives it.
func (p *program) reportRefusals() {
	token := aws.String("taken-in-go")
	pending := *must(p.ebs.StartSnapshot(p.ctx, &ebs.StartSnapshotInput{
		VolumeSize: aws.Int64(1), ClientToken: token,
	})).SnapshotId
	block := contents(1)

	_, err := p.ebs.ListSnapshotBlocks(p.ctx, &ebs.ListSnapshotBlocksInput{
		SnapshotId: aws.String(unknownSnapshot),
	})
	reportRefusal("unknown snapshot", err)

	wrong := blockOf(pending, 0, block)
	wrong.Checksum = aws.String(checksum(contents(99)))
	reportRefusal("wrong checksum", p.putError(wrong))

	short := blockOf(pending, 0, block)
	short.DataLength = aws.Int32(1)
	reportRefusal("wrong length", p.putError(short))

	reportRefusal("index beyond", p.putError(blockOf(pending, 2_048, block)))
	reportRefusal("completed snapshot", p.putError(blockOf(p.parent, 0, block)))

	_, err = p.ebs.GetSnapshotBlock(p.ctx, &ebs.GetSnapshotBlockInput{
		SnapshotId: &p.parent, BlockIndex: aws.Int32(0), BlockToken: aws.String("bm90"),
	})
	reportRefusal("bad block token", err)

	_, err = p.ebs.ListSnapshotBlocks(p.ctx, &ebs.ListSnapshotBlocksInput{
		SnapshotId: &p.parent, NextToken: aws.String("bm90"),
	})
	reportRefusal("bad page token", err)

	_, err = p.ebs.ListChangedBlocks(p.ctx, &ebs.ListChangedBlocksInput{
		FirstSnapshotId: &p.parent, SecondSnapshotId: &p.long,
	})
	reportRefusal("unrelated snapshots", err)

	_, err = p.ebs.StartSnapshot(p.ctx, &ebs.StartSnapshotInput{
		VolumeSize: aws.Int64(2), ClientToken: token,
	})
	reportRefusal("conflicting client token", err)

	_, err = p.withWrongKey().ListSnapshotBlocks(p.ctx, &ebs.ListSnapshotBlocksInput{
		SnapshotId: &p.parent,
	})
	reportRefusal("wrong key", err)
}

// withWrongKey is a client of its own: a signer keeps derived keys by access key id alone, so the
// first client would go on signing with the right one.
func (p *program) withWrongKey() *ebs.Client {
	key := must(p.settings.Credentials.Retrieve(p.ctx))
	settings := p.settings.Copy()
	settings.Credentials = credentials.NewStaticCredentialsProvider(key.AccessKeyID, "wrong", "")
	return ebs.NewFromConfig(settings)
}

func (p *program) putError(input *ebs.PutSnapshotBlockInput) error {
	_, err := p.ebs.PutSnapshotBlock(p.ctx, input)
	return err
}

func reportRefusal(name string, err error) {
	seen := tellError(err)
	seen["name"] = name
	report("refusal", seen)
}

// tellError is an error as a caller of the SDK sees it; only some types carry a reason.
func tellError(err error) facts {
	var refused smithy.APIError
	if !errors.As(err, &refused) {
		return facts{"code": "not an answer", "message": err, "reason": ""}
	}
	seen := facts{"code": refused.ErrorCode(), "message": refused.ErrorMessage(), "reason": ""}
	var invalid *types.ValidationException
	if errors.As(err, &invalid) {
		seen["reason"] = invalid.Reason
	}
	var missing *types.ResourceNotFoundException
	if errors.As(err, &missing) {
		seen["reason"] = missing.Reason
	}
	return seen
}
