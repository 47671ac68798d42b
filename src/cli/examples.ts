import type { Command } from "commander";

/** Lines to paste for each command, by its names below the program. */
const EXAMPLES: Readonly<Record<string, readonly string[]>> = {
  serve: [
    "varve serve --data /srv/varve",
    "varve serve --listen 0.0.0.0:7788 --tls-certificate tls.crt --tls-key tls.key",
    "varve serve --store s3://backups/varve --catalog postgres://varve@db/varve " +
      "--key-encryption-key file:/etc/varve/key",
    "varve serve --emulate aws,quotas,lag=2,faults=0.05:42",
    "varve serve --audit /var/log/varve/audit.ndjson --metrics-listen 127.0.0.1:9464",
  ],
  upload: [
    "varve upload disk.raw --tag host=web1",
    "varve upload /dev/vg0/root-snap --parent snap-0123456789abcdef0",
    "zstd -dc disk.raw.zst | varve upload - --volume-size 8",
  ],
  download: [
    "varve download snap-0123456789abcdef0 restored.raw",
    "varve download snap-0123456789abcdef0 older-restore.raw --onto",
    "varve download snap-0123456789abcdef0 - | zstd > disk.raw.zst",
  ],
  diff: [
    "varve diff snap-0123456789abcdef0 snap-0fedcba9876543210 --json",
    "varve diff snap-0123456789abcdef0 disk.raw",
  ],
  list: ["varve list --tag host=web1 --newer-than 7d", "varve list --sizes"],
  delete: ["varve delete snap-0123456789abcdef0 --dry-run"],
  tag: ["varve tag snap-0123456789abcdef0 --add keep=yes --remove draft"],
  wait: ["varve wait snap-0123456789abcdef0 --timeout 10m"],
  prune: [
    "varve prune --keep-daily 7 --keep-weekly 4 --keep-monthly 12 --dry-run",
    "varve prune --tag host=web1 --keep-last 3 --keep-tag keep=yes",
  ],
  copy: [
    "varve copy snap-0123456789abcdef0 --to http://backup:7788 --to-profile backup",
    "varve copy snap-0123456789abcdef0 --lineage --from aws --from-region eu-central-1 --verify",
  ],
  sync: [
    "varve sync --tag host=web1 --to http://backup:7788 --to-profile backup",
    "varve sync --all --from aws --from-region eu-central-1 --every 1h",
  ],
  rebuild: [
    "varve rebuild --data /srv/varve",
    "varve rebuild --store s3://backups/varve --catalog postgres://varve@db/empty " +
      "--key-encryption-key file:/etc/varve/key",
  ],
  migrate: [
    "varve migrate --from /srv/varve --to s3://backups/varve --catalog postgres://varve@db/varve",
    "varve migrate --from s3://backups/varve --to /srv/varve --catalog postgres://varve@db/varve " +
      "--key-encryption-key file:/etc/varve/key",
  ],
  collect: ["varve collect --dry-run"],
  verify: ["varve verify snap-0123456789abcdef0"],
  scrub: ["varve scrub --sample 1/30"],
  top: ["varve top", "varve top --once --json"],
  "account create": ["varve account create"],
  "account list": ["varve account list"],
  "key create": ["varve key create --account 111122223333 --policy read-only.json"],
  "key list": ["varve key list"],
  "key session": ["varve key session --duration 1h"],
  "key rotate-tokens": ["varve key rotate-tokens"],
  "key activate": ["varve key activate VRVE0123456789ABCDEF"],
  "key deactivate": ["varve key deactivate VRVE0123456789ABCDEF"],
  "key delete": ["varve key delete VRVE0123456789ABCDEF"],
  "key policy get": ["varve key policy get VRVE0123456789ABCDEF"],
  "key policy set": ["varve key policy set VRVE0123456789ABCDEF read-only.json"],
  "key policy remove": ["varve key policy remove VRVE0123456789ABCDEF"],
  "key simulate": [
    "varve key simulate VRVE0123456789ABCDEF",
    "varve key simulate --policy read-only.json --action ebs:PutSnapshotBlock --resource '*'",
  ],
  completion: [
    "source <(varve completion bash)",
    "varve completion zsh > ~/.zfunc/_varve",
    "varve completion fish > ~/.config/fish/completions/varve.fish",
  ],
  manual: ["varve manual | man -l -"],
};

/** The examples of the command with these names; empty for one that only has others below it. */
export function examplesFor(names: readonly string[]): string {
  return (EXAMPLES[names.join(" ")] ?? []).map((line) => `  ${line}`).join("\n");
}

/** Has the help of every command end with its examples. */
export function addExamples(command: Command, names: readonly string[] = []): void {
  const text = examplesFor(names);
  if (text !== "") command.addHelpText("after", `\nExamples:\n${text}`);
  for (const each of command.commands) addExamples(each, [...names, each.name()]);
}
