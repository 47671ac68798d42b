/* Policies to begin with, and what they are for. */

/** One of them. */
export interface PolicyTemplate {
  readonly name: string;
  readonly title: string;
  readonly explanation: string;
  /** IAM policy as JSON text. */
  readonly document: string;
}

const READ = [
  "ebs:GetSnapshotBlock",
  "ebs:ListSnapshotBlocks",
  "ebs:ListChangedBlocks",
  "ec2:Describe*",
];
const WRITE = ["ebs:StartSnapshot", "ebs:PutSnapshotBlock", "ebs:CompleteSnapshot"];

/** Those that most keys need. */
export const POLICY_TEMPLATES: readonly PolicyTemplate[] = [
  {
    name: "backup",
    title: "Write backups, incremental ones too",
    explanation:
      "starts, writes, completes, tags and describes snapshots; lists blocks; deletes none",
    document: policy([...WRITE, "ebs:ListSnapshotBlocks", "ec2:CreateTags", "ec2:Describe*"]),
  },
  {
    name: "write-only",
    title: "Write, and read nothing",
    explanation: "a machine that is taken over gives no older state away",
    document: policy(WRITE),
  },
  {
    name: "read-only",
    title: "Read only",
    explanation: "describes, lists, compares and reads; for restoring and for looking",
    document: policy(READ),
  },
];

function policy(Action: readonly string[]): string {
  const statement = { Effect: "Allow", Action, Resource: "*" };
  return JSON.stringify({ Version: "2012-10-17", Statement: [statement] }, undefined, 2);
}
