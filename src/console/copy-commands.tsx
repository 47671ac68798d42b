import { useConsole } from "./console-context.ts";
import { CopyButton } from "./copy-button.tsx";

/** What one would type to work with a snapshot: each command can be copied. */
export function CopyCommands(props: {
  readonly snapshotId: string;
  readonly parent: string | null;
}) {
  const { client } = useConsole();
  const { snapshotId, parent } = props;
  const aws = `--endpoint-url ${client.endpoint} --region ${client.region}`;
  const varve = `--endpoint ${client.endpoint}`;
  const commands = [
    `varve download ${snapshotId} restored.raw ${varve}`,
    ...(parent === null ? [] : [`varve diff ${parent} ${snapshotId} ${varve}`]),
    `varve upload IMAGE --parent ${snapshotId} ${varve}`,
    `aws ebs list-snapshot-blocks --snapshot-id ${snapshotId} ${aws}`,
    `aws ec2 describe-snapshots --snapshot-ids ${snapshotId} ${aws}`,
  ];
  return (
    <section aria-labelledby="commands-heading">
      <h2 id="commands-heading">Commands</h2>
      <ul class="commands">
        {commands.map((command) => (
          <Command key={command} command={command} />
        ))}
      </ul>
    </section>
  );
}

function Command({ command }: { readonly command: string }) {
  return (
    <li>
      <code>{command}</code>
      <CopyButton text={command} what={command} />
    </li>
  );
}
