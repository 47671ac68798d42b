import type { RecordName } from "../model/digest.ts";
import { CorruptionError } from "../model/errors.ts";
import type { Domain } from "../model/ids.ts";
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
 * The completed snapshot in a manifest that lies in that domain. Throws a `CorruptionError` for
 * contents that are none.
 */
export function decodeManifest(
  bytes: Uint8Array,
  { domain, name }: { readonly domain: Domain; readonly name: RecordName },
): Snapshot {
  const { version, ...kept } = parseManifest(bytes);
  if (version !== MANIFEST_FORMAT_VERSION) {
    const known = `this Varve reads version ${MANIFEST_FORMAT_VERSION}`;
    throw new CorruptionError(`A manifest has version ${version}; ${known}`);
  }
  const absent = { parent: undefined, description: undefined, root: undefined };
  return {
    ...{ ...absent, ...(kept as unknown as Snapshot) },
    stateMessage: undefined,
    domain,
    state: "completed",
    expiresAtMs: 0,
    parentRoot: undefined,
    parentBlockCount: 0,
    completion: undefined,
    manifest: name,
  };
}

function parseManifest(bytes: Uint8Array): Record<string, unknown> {
  try {
    return JSON.parse(Buffer.from(bytes).toString()) as Record<string, unknown>;
  } catch (cause) {
    throw new CorruptionError("A manifest is not JSON", { cause });
  }
}

/**
 * True when a manifest says what is known of its snapshot, but for the tags, which may have changed
 * since completion. Throws a `CorruptionError` for what is no manifest.
 */
export function agreesWithManifest(snapshot: Snapshot, manifest: Uint8Array): boolean {
  const { tags: _, ...said } = parseManifest(manifest);
  const { tags: __, ...known } = parseManifest(encodeManifest(snapshot));
  return textOf(said) === textOf(known);
}

function textOf(members: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(Object.entries(members).sort(([a], [b]) => (a < b ? -1 : 1)));
}
