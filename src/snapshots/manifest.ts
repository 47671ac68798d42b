import { CorruptionError } from "../model/errors.ts";
import type { Snapshot } from "../model/snapshot.ts";

/** Version of the manifest's contents. */
export const MANIFEST_FORMAT_VERSION = 1;

/**
 * Encodes what is needed to bring a completed snapshot back from segments alone: UTF-8 JSON with
 * the fields of `Snapshot` that survive completion, under their own names.
 */
export function encodeManifest(snapshot: Snapshot): Uint8Array {
  const {
    // The record's own header says the domain.
    domain: _domain,
    state: _state,
    stateMessage: _stateMessage,
    expiresAtMs: _expiresAtMs,
    parentRoot: _parentRoot,
    parentBlockCount: _parentBlockCount,
    completion: _completion,
    manifest: _manifest,
    ...kept
  } = snapshot;
  return Buffer.from(JSON.stringify({ version: MANIFEST_FORMAT_VERSION, ...kept }));
}

/**
 * True when a manifest says what is known of its snapshot, but for the tags, which may have changed
 * since completion. Throws a `CorruptionError` for what is no manifest.
 */
export function agreesWithManifest(snapshot: Snapshot, manifest: Uint8Array): boolean {
  const { tags: _, ...said } = decodeManifest(manifest);
  const { tags: __, ...known } = decodeManifest(encodeManifest(snapshot));
  return textOf(said) === textOf(known);
}

function decodeManifest(bytes: Uint8Array): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new CorruptionError("A manifest is not JSON", { cause });
  }
  if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  throw new CorruptionError("A manifest is not a JSON object");
}

function textOf(members: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(Object.entries(members).sort(([a], [b]) => (a < b ? -1 : 1)));
}
