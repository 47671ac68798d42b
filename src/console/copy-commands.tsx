import { useState } from "preact/hooks";
import { useConsole } from "./console-context.ts";

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
  const [outcome, setOutcome] = useState("Copy");
  // Browsers give the clipboard only to pages over HTTPS or from this machine.
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(command);
      setOutcome("Copied");
    } catch {
      setOutcome("Select and copy by hand");
    }
  };
  return (
    <li>
      <code>{command}</code>
      <button type="button" aria-label={`${outcome}: ${command}`} onClick={() => void copy()}>
        {outcome}
      </button>
    </li>
  );
}
