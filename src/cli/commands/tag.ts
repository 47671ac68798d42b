import type { Command } from "commander";
import { createTags, deleteTags, type Tag, type TagPattern } from "../../client/index.ts";
import { snapshotIdArguments, tagArgument, tagPatternArgument } from "../arguments.ts";
import { UsageError } from "../errors.ts";
import { type Session, withSession } from "../session.ts";

interface TagOptions {
  readonly add?: Tag[];
  readonly remove?: TagPattern[];
}

/** Adds `varve tag SNAPSHOT…`. */
export function addTagCommand(program: Command): void {
  program
    .command("tag")
    .summary("add tags to snapshots, or remove them")
    .description("Add tags to snapshots, in place of those with the same keys, or remove them.")
    .argument("<snapshots...>", "ids of snapshots", snapshotIdArguments)
    .option("--add <key=value>", "tag to add; can be repeated", tagArgument)
    .option(
      "--remove <key>",
      "tag to remove; as KEY=VALUE only where it has that value; can be repeated",
      tagPatternArgument,
    )
    .action((snapshotIds: string[], options: TagOptions, command: Command) =>
      withSession(command, (session) => tag(session, snapshotIds, options)),
    );
}

/** Removes first, so that a key in both ends up as it was added. */
async function tag(
  { client, output, signal }: Session,
  snapshotIds: readonly string[],
  { add = [], remove = [] }: TagOptions,
): Promise<void> {
  if (add.length + remove.length === 0) {
    throw new UsageError("There is nothing to do: give --add KEY=VALUE or --remove KEY.");
  }
  const options = { signal };
  if (remove.length > 0) {
    await deleteTags(client, { Resources: snapshotIds, Tags: remove }, options);
  }
  if (add.length > 0) await createTags(client, { Resources: snapshotIds, Tags: add }, options);
  output.result({ tagged: snapshotIds, added: add, removed: remove }, snapshotIds.join("\n"));
}
