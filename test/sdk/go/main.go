// The full cycle of a snapshot and ten refusals through the AWS SDK for Go, for go-cycle.test.ts.
// Standard output carries one JSON line for each step; the test compares them with what it expects.
// The environment says which service to call, the one argument names a snapshot of many blocks.
package main

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ebs"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const blockSizeBytes = 524_288

// facts are what a step has seen, by name.
type facts map[string]any

// program holds the clients and the snapshots that later steps need.
type program struct {
	ctx      context.Context
	settings aws.Config
	ebs      *ebs.Client
	ec2      *ec2.Client
	sts      *sts.Client
	parent   string
	child    string
	long     string
}

func main() {
	ctx := context.Background()
	settings := must(config.LoadDefaultConfig(ctx))
	p := &program{
		ctx:      ctx,
		settings: settings,
		ebs:      ebs.NewFromConfig(settings),
		ec2:      ec2.NewFromConfig(settings),
		sts:      sts.NewFromConfig(settings),
		long:     os.Args[1],
	}
	report("identify", p.identify())
	report("start", p.startParent())
	report("put", p.putParent())
	report("complete", p.completeParent())
	report("describe", p.describeParent())
	report("read", facts{"blocks": p.read(p.parent, parentBlocks)})
	report("child", p.makeChild())
	report("compare", p.compare())
	report("tag", p.tag())
	report("pages", p.listPages())
	p.reportRefusals()
	report("deleteParent", p.deleteParent())
	report("deleteChild", p.deleteSnapshot(p.child))
}

func report(step string, seen facts) {
	fmt.Println(string(must(json.Marshal(facts{"step": step, "seen": seen}))))
}

// must ends the program where a call that has to succeed does not.
func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}

// contents are a block's bytes by number; 0 is zeros.
func contents(number byte) []byte {
	bytes := make([]byte, blockSizeBytes)
	for i := range bytes {
		bytes[i] = number
	}
	return bytes
}

func checksum(bytes []byte) string {
	digest := sha256.Sum256(bytes)
	return base64.StdEncoding.EncodeToString(digest[:])
}
