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
