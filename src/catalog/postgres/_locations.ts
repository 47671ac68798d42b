import { assert } from "../../base/assert.ts";
import { digestToBytes } from "../../model/digest.ts";
import { assertMove } from "../assertions.ts";
import type { NewLocation } from "../catalog.ts";
import type { Row } from "../rows.ts";
import { type Named, UsageChanges } from "./_notes.ts";
import type { Queries } from "./_postgres-database.ts";

/** One text for a record, to look it up by in memory. */
export function keyOf({ domain, name }: Named): string {
  return domain + name;
}

/**
 * Adds, replaces and moves locations, in this order, which comes to the same as the order in which
 * they were given: what is moved was there before, and what replaces a record wins over what only
 * adds it. Keeps count of the bytes of each segment that are needed.
 */
export async function addLocations(
  queries: Queries,
  generation: number,
  locations: readonly NewLocation[],
): Promise<void> {
  const usage = new UsageChanges();
  const moved = locations.filter(({ movedFrom }) => movedFrom);
  const added = firstOfEach(locations.filter(({ movedFrom, replaces }) => !movedFrom && !replaces));
  const replacing = firstOfEach(
    locations.filter(({ movedFrom, replaces }) => !movedFrom && replaces).toReversed(),
  );
  await moveAll(queries, usage, moved);
  await addAll(queries, { generation, usage }, added);
  await replaceAll(queries, { generation, usage }, replacing);
  await usage.write(queries);
}

interface Stamping {
  readonly generation: number;
  readonly usage: UsageChanges;
}

function firstOfEach(locations: readonly NewLocation[]): NewLocation[] {
  const first = new Map<string, NewLocation>();
  for (const location of locations) {
    if (!first.has(keyOf(location))) first.set(keyOf(location), location);
  }
  return [...first.values()];
}

function columnsOf(locations: readonly NewLocation[]) {
  return [
    locations.map(({ domain }) => domain),
    locations.map(({ name }) => digestToBytes(name)),
    locations.map(({ segment }) => segment),
    locations.map(({ offset }) => offset),
    locations.map(({ length }) => length),
  ];
}

const GIVEN = `unnest($1::text[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[])
  AS given (domain, name, segment, at_byte, length)`;

/** A record that is known already stays where it is, and is referred to as of now all the same. */
async function addAll(
  queries: Queries,
  { generation, usage }: Stamping,
  locations: readonly NewLocation[],
): Promise<void> {
  if (locations.length === 0) return;
  const rows = await queries.all(
    `INSERT INTO locations (domain, name, segment, at_byte, length, generation)
     SELECT domain, name, segment, at_byte, length, $6 FROM ${GIVEN}
     ORDER BY domain COLLATE "C", name
     ON CONFLICT (domain, name) DO UPDATE SET generation = excluded.generation
     RETURNING segment, at_byte, length`,
    ...columnsOf(locations),
    generation,
  );
  const places = new Set(locations.map(({ segment, offset }) => `${segment} ${offset}`));
  for (const row of rows) {
    if (places.has(`${row["segment"]} ${row["at_byte"]}`)) count(usage, row, 1);
  }
}

async function replaceAll(
  queries: Queries,
  { generation, usage }: Stamping,
  locations: readonly NewLocation[],
): Promise<void> {
  if (locations.length === 0) return;
  const columns = columnsOf(locations);
  const [domains = [], names = []] = columns;
  const before = await queries.all(
    `SELECT locations.segment, locations.length
     FROM unnest($1::text[], $2::bytea[]) AS given (domain, name)
     JOIN locations ON locations.domain = given.domain AND locations.name = given.name
     ORDER BY locations.domain, locations.name FOR NO KEY UPDATE OF locations`,
    domains,
    names,
  );
  for (const row of before) count(usage, row, -1);
  const after = await queries.all(
    `INSERT INTO locations (domain, name, segment, at_byte, length, generation)
     SELECT domain, name, segment, at_byte, length, $6 FROM ${GIVEN}
     ORDER BY domain COLLATE "C", name
     ON CONFLICT (domain, name) DO UPDATE SET segment = excluded.segment,
       at_byte = excluded.at_byte, length = excluded.length, generation = excluded.generation
     RETURNING segment, length`,
    ...columns,
    generation,
  );
  for (const row of after) count(usage, row, 1);
  await queries.run(
    `DELETE FROM damaged_records USING unnest($1::text[], $2::bytea[]) AS given (domain, name)
     WHERE damaged_records.domain = given.domain AND damaged_records.name = given.name`,
    domains,
    names,
  );
}

/** What was removed, healed or moved by another meanwhile stays as it is. */
async function moveAll(
  queries: Queries,
  usage: UsageChanges,
  locations: readonly NewLocation[],
): Promise<void> {
  if (locations.length === 0) return;
  for (const location of locations) assertMove(location);
  const sorted = locations.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const rows = await queries.all(
    `UPDATE locations SET segment = given.segment, at_byte = given.at_byte
     FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
       $7::bigint[]) AS given (domain, name, segment, at_byte, length, from_segment, from_byte)
     WHERE locations.domain = given.domain AND locations.name = given.name
       AND locations.segment = given.from_segment AND locations.at_byte = given.from_byte
       AND locations.length = given.length
     RETURNING given.segment, given.from_segment, locations.length`,
    ...columnsOf(sorted),
    sorted.map(({ movedFrom }) => movedFrom?.segment ?? 0),
    sorted.map(({ movedFrom }) => movedFrom?.offset ?? 0),
  );
  for (const row of rows) {
    count(usage, row, 1);
    usage.add(row["from_segment"] as number, -(row["length"] as number));
  }
  if (rows.length < locations.length) await assertNoneLeft(queries, sorted);
}

/** Throws when one of the records is still found where it was moved from. */
async function assertNoneLeft(queries: Queries, moved: readonly NewLocation[]): Promise<void> {
  const row = await queries.get(
    `SELECT 1 AS one
     FROM unnest($1::text[], $2::bytea[], $3::bigint[], $4::bigint[])
       AS given (domain, name, from_segment, from_byte)
     JOIN locations ON locations.domain = given.domain AND locations.name = given.name
       AND locations.segment = given.from_segment AND locations.at_byte = given.from_byte
     LIMIT 1`,
    moved.map(({ domain }) => domain),
    moved.map(({ name }) => digestToBytes(name)),
    moved.map(({ movedFrom }) => movedFrom?.segment ?? 0),
    moved.map(({ movedFrom }) => movedFrom?.offset ?? 0),
  );
  assert(row === undefined, "what is moved is as long as before");
}

function count(usage: UsageChanges, row: Row, sign: 1 | -1): void {
  usage.add(row["segment"] as number, sign * (row["length"] as number));
}
