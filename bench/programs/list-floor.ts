// The floor of a listing: JSON.stringify of ready objects for each request, over node:http.

import { createServer } from "node:http";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { randomBytesFrom } from "../harness/blocks.ts";
import { serveParent } from "../harness/commands.ts";
import { listenLocally } from "../harness/listen.ts";

/** Bytes of a token before base64; Varve's have as many. */
const TOKEN_BYTES = 36;

interface FloorOptions {
  /** The block indexes to list, as extents. */
  readonly extents: readonly (readonly [start: number, count: number])[];
  readonly pageLength: number;
}

serveParent({
  async start({ extents, pageLength }: FloorOptions) {
    const pages = readyPages(extents, pageLength);
    const server = createServer((req, res) => {
      const token = new URLSearchParams(req.url?.split("?")[1]).get("pageToken");
      const body = JSON.stringify(pages[token === null ? 0 : Number(token)]);
      res.writeHead(200, {
        "Content-Type": "application/json",
        "Content-Length": Buffer.byteLength(body),
      });
      res.end(body);
    });
    return listenLocally(server);
  },
});

function readyPages(extents: FloorOptions["extents"], pageLength: number): object[] {
  const indexes = extents.flatMap(([start, count]) =>
    Array.from({ length: count }, (_, i) => start + i),
  );
  const pageCount = Math.ceil(indexes.length / pageLength);
  return Array.from({ length: pageCount }, (_, page) => {
    const tokens = randomBytesFrom(`tokens ${page}`, TOKEN_BYTES * pageLength);
    const found = indexes.slice(page * pageLength, (page + 1) * pageLength);
    const Blocks = found.map((BlockIndex, i) => {
      const token = tokens.subarray(i * TOKEN_BYTES, (i + 1) * TOKEN_BYTES);
      return { BlockIndex, BlockToken: token.toString("base64") };
    });
    const NextToken = page + 1 < pageCount ? String(page + 1) : null;
    return { BlockSize: BLOCK_SIZE_BYTES, Blocks, ExpiryTime: 1.8e9, NextToken, VolumeSize: 1024 };
  });
}
