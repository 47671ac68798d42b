import type { Check } from "./_check.ts";
import { accounts } from "./accounts.ts";
import { authentication } from "./authentication.ts";
import { changes } from "./changes.ts";
import { clients } from "./clients.ts";
import { completion } from "./completion.ts";
import { ec2 } from "./ec2.ts";
import { ec2Images } from "./ec2-images.ts";
import { encryption } from "./encryption.ts";
import { framing } from "./framing.ts";
import { members } from "./members.ts";
import { messages } from "./messages.ts";
import { reads } from "./reads.ts";
import { tokens } from "./tokens.ts";
import { writes } from "./writes.ts";

/** Every check, in the order of the fact sheet. */
export const ALL_CHECKS: readonly Check[] = [
  ...framing,
  ...messages.slice(0, 1),
  members,
  ...messages.slice(1),
  ...clients.slice(0, 1),
  ...reads.slice(0, 1),
  ...accounts.slice(0, 1),
  ...reads.slice(1, 2),
  changes,
  tokens,
  ...reads.slice(2),
  ...writes,
  ...completion,
  encryption,
  authentication,
  ...accounts.slice(1),
  ec2,
  ec2Images,
  ...clients.slice(1),
].flatMap(({ checks }) => checks);
