import { type Command, InvalidArgumentError } from "commander";
import { createAccount, listAccounts } from "../../client/index.ts";
import { parseAccountId } from "../../model/ids.ts";
import { withSession } from "../session.ts";

/** Adds `varve account create` and `varve account list`. */
export function addAccountCommand(program: Command): void {
  const account = program.command("account").summary("create and list accounts");
  account
    .command("create")
    .description("Create an account. Make its first key with: varve key create --account ID")
    .argument("[id]", "twelve digits (default: a new one)", accountIdArgument)
    .action((id: string | undefined, _options: object, command: Command) =>
      withSession(command, async ({ client, output, signal }) => {
        const { AccountId: accountId } = await createAccount(client, id, { signal });
        output.result({ accountId }, accountId);
      }),
    );
  account
    .command("list")
    .description("List all accounts, the one that manages the others first.")
    .action((_options: object, command: Command) =>
      withSession(command, async ({ client, output, signal }) => {
        const accounts = await listAccounts(client, { signal });
        const ids = accounts.map(({ AccountId }) => AccountId);
        output.result({ accounts: ids }, ids.join("\n"));
      }),
    );
}

/** Parses an account id; for commander, which names the argument in its message. */
export function accountIdArgument(text: string): string {
  if (parseAccountId(text)) return text;
  throw new InvalidArgumentError("An account id has twelve digits.");
}
