import assert from "node:assert/strict";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { systemRandom } from "../../src/base/random.ts";
import { SessionTokens } from "../../src/identity/session-tokens.ts";
import type { AccountId } from "../../src/model/ids.ts";
import {
  BLOCK_TOKEN_LIFETIME_SECONDS,
  PAGE_TOKEN_LIFETIME_SECONDS,
} from "../../src/model/limits.ts";
import { type TokenScope, Tokens } from "../../src/snapshots/tokens/tokens.ts";
import type { RequestParts } from "../../src/wire/message.ts";
import { newAccount, withNewKey } from "../support/keys.ts";
import { MovingClock } from "../support/moving-clock.ts";
import {
  blockToken,
  changedParts,
  getParts,
  listParts,
  send,
  snapshotOf,
} from "../support/operations.ts";
import { blockContents, seededFraction } from "../support/property.ts";
import { oneSecret, rotatingSecrets } from "../support/secrets.ts";
import { startService } from "../support/service.ts";
import { mutateToken } from "../support/token-mutations.ts";
import { rotateMinted, rotateService } from "./_token-rotation.ts";
import { type ScorecardRun, scorecard } from "./scorecard.ts";

scorecard({
  number: 19,
  name: "block, page and session tokens",
  goal:
    "1,000,000 forged or changed tokens, 0 accepted; none used for another snapshot, index, " +
    "account or operation, nor after 7 days or 60 minutes; after a rotation of the secrets valid " +
    "ones accepted 100 %",
  peer: "EBS: 7 days and 60 minutes; no peer publishes a test",
  async run(run) {
    const forged = forge(run);
    const sessions = forgeSessions(run);
    // What needs no service comes first: a service's chores would find its clock a week ahead.
    const rotated = rotateMinted(run);
    const reused = await reuse(run);
    const served = await rotateService(run);
    return `${forged}; ${sessions}; ${reused}; ${rotated}; ${served}`;
  },
});

const SCOPES: readonly TokenScope[] = [
  { kind: "block", snapshotIds: ["snap-01"] },
  { kind: "listPage", snapshotIds: ["snap-01"] },
  { kind: "changedPage", snapshotIds: ["snap-01", "snap-02"] },
  { kind: "digestPage", snapshotIds: ["snap-01"] },
];
const PAGE = 1_000;

/** Changed tokens, tokens of another store, and tokens of one scope in every other. */
function forge(run: ScorecardRun): string {
  const fraction = seededFraction(run.seed);
  // All three secrets open tokens, so a changed number of the secret is one that there is, too.
  const secrets = rotatingSecrets();
  for (let i = 0; i < 2; i++) secrets.rotate(systemClock.nowMs());
  const ours = new Tokens(secrets, systemClock, systemRandom);
  const others = new Tokens(oneSecret(), systemClock, systemRandom);
  const total = run.count(1_000_000, 20_000);
  let [tried, opened] = [0, 0];
  while (tried < total) {
    for (const scope of SCOPES) {
      const indexes = [...Array(PAGE).keys()];
      const page = ours.mint(scope, indexes);
      const minted = new Set(page);
      const foreign = others.mint(scope, indexes);
      for (const [i, token] of page.entries()) {
        // A token as it is stays good: what is refused below is refused for what was changed.
        if (i % 100 === 0) assert.equal(ours.open(scope, token), i);
        const mutated = i % 10 === 0 ? (foreign[i] as string) : mutateToken(token, fraction);
        if (minted.has(mutated)) continue;
        tried += 1;
        if (ours.open(scope, mutated) !== undefined) opened += 1;
      }
      for (const other of SCOPES) {
        if (other === scope) continue;
        tried += 1;
        if (ours.open(other, page[0] as string) !== undefined) opened += 1;
      }
    }
  }
  assert.equal(opened, 0, "forged tokens that were accepted");
  return `${tried} forged block and page tokens, 0 accepted`;
}

function forgeSessions(run: ScorecardRun): string {
  const fraction = seededFraction(run.seed + 1);
  const parts = { clock: systemClock, random: systemRandom };
  const [ours, others] = [oneSecret(), oneSecret()].map((ring) => {
    return new SessionTokens(ring, parts);
  }) as [SessionTokens, SessionTokens];
  const input = {
    ...{ parentAccessKeyId: "AKIAEXAMPLE", account: "111122223333" as AccountId },
    ...({ kind: "user", name: "", policies: [], durationSeconds: 3_600 } as const),
  };
  const total = run.count(200_000, 4_000);
  let opened = 0;
  for (let tried = 0; tried < total; tried++) {
    const minted = (tried % 10 === 0 ? others : ours).mint(input);
    assert.ok(minted);
    const { accessKeyId, sessionToken } = minted;
    const mutated = tried % 10 === 0 ? sessionToken : mutateToken(sessionToken, fraction);
    const isForged = tried % 10 === 0 || mutated !== sessionToken;
    if (isForged && ours.open(accessKeyId, mutated)) opened += 1;
  }
  assert.equal(opened, 0, "forged session tokens that were accepted");
  return `${total} forged session tokens, 0 accepted`;
}

/** Real tokens where they do not belong, through the whole service. */
async function reuse(run: ScorecardRun): Promise<string> {
  const clock: MovingClock & Clock = new MovingClock();
  const service = { ...(await startService(run, { clock, collectMinutes: 0 })), clock };
  const stranger = await withNewKey(service, { account: await newAccount(service) });
  const blocks = (contents: number) => {
    return new Map(Array.from({ length: 101 }, (_, i) => [i, blockContents(contents)]));
  };
  const parent = await snapshotOf(service, blocks(1));
  const child = await snapshotOf(service, blocks(2), { ParentSnapshotId: parent });
  const token = await blockToken(service, parent, 0);
  const page = await nextToken(listParts(parent, { maxResults: 100 }));
  const changes = await nextToken(changedParts(parent, child, { maxResults: 100 }));
  const digests = (id: string, pageToken: string) => {
    return { method: "GET", path: `/snapshots/${id}/digests`, query: { pageToken } };
  };
  const wrong: readonly RequestParts[] = [
    ...[1, 2, 100, 101, 2_047].map((index) => getParts(parent, index, token)),
    getParts(child, 0, token),
    ...[page, changes].map((each) => getParts(parent, 0, each)),
    listParts(child, { pageToken: page }),
    ...[token, changes].map((pageToken) => listParts(parent, { pageToken })),
    ...[token, page].map((pageToken) => changedParts(parent, child, { pageToken })),
    changedParts(child, parent, { pageToken: changes }),
    changedParts(parent, parent, { pageToken: changes }),
    ...[token, page, changes].map((each) => digests(parent, each)),
  ];
  const right: readonly RequestParts[] = [
    listParts(parent, { pageToken: page }),
    changedParts(parent, child, { pageToken: changes }),
    getParts(parent, 0, token),
  ];
  const statusOf = async (parts: RequestParts, target = service as typeof stranger) =>
    (await send(target, parts)).status;
  let refused = 0;
  const refuse = async (parts: RequestParts, status: number, target?: typeof stranger) => {
    assert.equal(await statusOf(parts, target), status, `${parts.method} ${parts.path}`);
    refused += 1;
  };
  for (const parts of right) assert.equal(await statusOf(parts), 200);
  for (const parts of wrong) await refuse(parts, 400);
  for (const parts of right) await refuse(parts, 404, stranger);
  clock.advance(PAGE_TOKEN_LIFETIME_SECONDS * 1_000 + 1_000);
  for (const parts of right.slice(0, 2)) await refuse(parts, 400);
  assert.equal(await statusOf(getParts(parent, 0, token)), 200, "a block token lasts longer");
  const left = BLOCK_TOKEN_LIFETIME_SECONDS - PAGE_TOKEN_LIFETIME_SECONDS;
  clock.advance(left * 1_000 + 1_000);
  await refuse(getParts(parent, 0, token), 400);
  return `${refused} real ones used elsewhere, by others or too late, 0 accepted`;

  async function nextToken(parts: RequestParts): Promise<string> {
    const { text } = await send(service, parts);
    return (JSON.parse(text) as { NextToken: string }).NextToken;
  }
}
