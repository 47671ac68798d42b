import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, systemClock } from "../../src/base/clock.ts";
import { systemRandom } from "../../src/base/random.ts";
import { SessionTokens } from "../../src/identity/session-tokens.ts";
import type { AccountId } from "../../src/model/ids.ts";
import {
  AWS_EXPIRY_MINUTES_MAX,
  BLOCK_TOKEN_LIFETIME_SECONDS,
  PAGE_TOKEN_LIFETIME_SECONDS,
  SESSION_DURATION_SECONDS_MAX,
} from "../../src/model/limits.ts";
import type { SecretRing } from "../../src/model/store-secret.ts";
import { rebuildStore } from "../../src/rebuild-store.ts";
import { AwsTokens } from "../../src/snapshots/tokens/aws-tokens.ts";
import { type TokenScope, Tokens } from "../../src/snapshots/tokens/tokens.ts";
import type { RequestParts } from "../../src/wire/message.ts";
import { admin } from "../support/keys.ts";
import { MovingClock } from "../support/moving-clock.ts";
import { blockToken, getParts, listParts, send, snapshotOf } from "../support/operations.ts";
import { blockContents } from "../support/property.ts";
import type { Target } from "../support/raw-http.ts";
import { rotatingSecrets } from "../support/secrets.ts";
import { startService } from "../support/service.ts";
import { withSession } from "../support/sessions.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import type { ScorecardRun } from "./scorecard.ts";

/* What a rotation of the secrets does to tokens: the second half of scorecard 19. */

/** Tokens of one kind, form and secret, minted in a round. */
const PAGE = 250;
/** The same of a thief, and of sessions. */
const SMALL_PAGE = 25;
/** Rotations in a round, spread over the time that the longest tokens last. */
const ROTATIONS = 5;
const YEAR_MS = 365 * 86_400_000;
const [BLOCK, LIST, CHANGED]: readonly TokenScope[] = [
  { kind: "block", snapshotIds: ["snap-01"] },
  { kind: "listPage", snapshotIds: ["snap-01"] },
  { kind: "changedPage", snapshotIds: ["snap-01", "snap-02"] },
] as const;
const SCOPES = [BLOCK, LIST, CHANGED] as readonly TokenScope[];

/** Who mints how much, and when it is. */
interface Round {
  readonly secrets: SecretRing;
  readonly time: { nowMs: number };
  readonly count: number;
  readonly thief?: { readonly copy: SecretRing; readonly aheadMs: number };
}

/** Something minted: how it is opened, and until when that is to succeed. */
interface Minted {
  readonly untilMs: number;
  opens(): boolean;
}

/**
 * Tokens minted before each of several rotations are opened up to their last millisecond; what a
 * thief of an old secret mints, with an expiry of years, is refused once its secret's time is up.
 */
export function rotateMinted(run: ScorecardRun): string {
  const total = run.count(200_000, 2_000);
  let [valid, opened, refused] = [0, 0, 0];
  for (let round = 0; valid < total; round++) {
    const time = { nowMs: 1_800_000_000_000 + round * 1_000 };
    const secrets = rotatingSecrets();
    const held: Minted[] = [];
    const stolen: Minted[] = [];
    const stepMs = (AWS_EXPIRY_MINUTES_MAX * 60_000) / ROTATIONS;
    for (let i = 0; i < ROTATIONS; i++) {
      held.push(...mintAll({ secrets, time, count: PAGE }));
      // A copy of the secrets of now, with a clock a year ahead.
      const thief = { copy: { secrets: [...secrets.secrets] }, aheadMs: YEAR_MS };
      stolen.push(...mintAll({ secrets, time, count: SMALL_PAGE, thief }));
      secrets.rotate(time.nowMs);
      time.nowMs += Math.floor(stepMs / 1_000) * 1_000;
    }
    // One after another at its last millisecond: between rotations, and after all of them.
    for (const each of held) {
      time.nowMs = each.untilMs - 1;
      valid += 1;
      if (each.opens()) opened += 1;
      time.nowMs = each.untilMs + 1_000;
      assert.equal(each.opens(), false, "opened after its time");
    }
    for (const each of stolen) {
      time.nowMs = each.untilMs + 1_000;
      assert.equal(each.opens(), false, "a stolen secret mints on");
      refused += 1;
    }
  }
  assert.equal(opened, valid, "valid tokens that a rotation ended");
  return (
    `after rotations ${opened} of ${valid} valid ones accepted, ` +
    `of ${refused} minted with a secret whose time was up 0`
  );
}

/** Of every kind and form; as a thief mints, who has copied the secrets, where one is given. */
function mintAll({ secrets: ring, time, count, thief }: Round): Minted[] {
  const clock: Clock = { ...systemClock, nowMs: () => time.nowMs };
  const theirs = thief && { ...clock, nowMs: () => time.nowMs + thief.aheadMs };
  const startMs = time.nowMs;
  const minted: Minted[] = [];
  const indexes = [...Array(count).keys()];
  for (const Form of [Tokens, AwsTokens]) {
    const opener = new Form(ring, clock, systemRandom);
    const minter = thief && theirs ? new Form(thief.copy, theirs, systemRandom) : opener;
    for (const scope of SCOPES) {
      const blockMs =
        Form === Tokens ? BLOCK_TOKEN_LIFETIME_SECONDS * 1_000 : AWS_EXPIRY_MINUTES_MAX * 60_000;
      const longestMs = scope === BLOCK ? blockMs : PAGE_TOKEN_LIFETIME_SECONDS * 1_000;
      const isBlock = scope === BLOCK && !thief;
      const untilMs = isBlock ? opener.blockTokenExpiryMs(scope.snapshotIds) : startMs + longestMs;
      for (const [index, token] of minter.mint(scope, indexes).entries()) {
        minted.push({ untilMs, opens: () => opener.open(scope, token) === index });
      }
    }
  }
  return [...minted, ...mintSessions({ ring, clock, startMs }, thief?.copy, theirs)];
}

function mintSessions(
  { ring, clock, startMs }: { ring: SecretRing; clock: Clock; startMs: number },
  copy: SecretRing = ring,
  theirs: Clock = clock,
): Minted[] {
  const opener = new SessionTokens(ring, { clock, random: systemRandom });
  const minter = new SessionTokens(copy, { clock: theirs, random: systemRandom });
  return Array.from({ length: SMALL_PAGE }, () => {
    const session = minter.mint({
      ...{ parentAccessKeyId: "AKIAEXAMPLE", account: "111122223333" as AccountId },
      ...({ kind: "user", name: "", policies: [] } as const),
      durationSeconds: SESSION_DURATION_SECONDS_MAX,
    });
    assert.ok(session);
    return {
      untilMs: startMs + SESSION_DURATION_SECONDS_MAX * 1_000,
      opens() {
        const found = opener.open(session.accessKeyId, session.sessionToken);
        return found !== undefined && !opener.isExpired(found);
      },
    };
  });
}

/** The same through the whole service: over a restart, and a loss of the catalog. */
export async function rotateService(run: ScorecardRun): Promise<string> {
  const clock: MovingClock & Clock = new MovingClock();
  const dataDirectory = await temporaryDirectory(run);
  // Requests are signed by the same clock.
  const config = { dataDirectory, clock, collectMinutes: 0 };
  const open = async () => ({ ...(await startService(run, config)), clock });
  let service = await open();
  const blocks = Array.from({ length: 101 }, (_, i) => [i, blockContents(1)] as const);
  const snapshot = await snapshotOf(service, new Map(blocks));
  const rotate = (input = {}) => admin(service, ["POST", "/token-secrets"], input);
  const held: { parts: RequestParts; session: Target["firstKey"] }[] = [];
  const uses = { accepted: 0, rotations: 0 };
  const statusesOf = async () => {
    const sent = held.flatMap(({ parts, session }) => [
      send(service, parts),
      send({ ...service, firstKey: session }, listParts(snapshot, { maxResults: 100 })),
    ]);
    return (await Promise.all(sent)).map(({ status }) => status);
  };
  const useAll = async () => {
    const statuses = await statusesOf();
    assert.deepEqual(new Set(statuses), new Set([200]));
    uses.accepted += statuses.length;
  };
  for (let i = 0; i < 3; i++) {
    const session = (await withSession(service, "GetSessionToken")).firstKey;
    const { text } = await send(service, listParts(snapshot, { maxResults: 100 }));
    const { NextToken: pageToken } = JSON.parse(text) as { NextToken: string };
    held.push({ parts: getParts(snapshot, i, await blockToken(service, snapshot, i)), session });
    held.push({ parts: listParts(snapshot, { pageToken }), session });
    assert.equal((await rotate()).status, 200);
    uses.rotations += 1;
    clock.advance(600_000);
    await useAll();
  }
  await service.close();
  service = await open();
  await useAll();
  await service.close();
  for (const end of ["", "-wal"])
    await rm(join(dataDirectory, `catalog.sqlite${end}`), { force: true });
  assert.equal((await rebuildStore({ dataDirectory })).outcome, "replaced");
  service = await open();
  await useAll();
  assert.equal((await rotate({ Revoke: true })).status, 200);
  const statuses = await statusesOf();
  assert.deepEqual(new Set(statuses), new Set([400, 403]), "revoked");
  return (
    `${uses.accepted} of ${uses.accepted} uses accepted after ${uses.rotations} rotations, a ` +
    `restart and a rebuild of the catalog, 0 of ${statuses.length} after a revocation`
  );
}
