// The floor of a verified get: node:http, one read at the block's place in one file, SHA-256
// compared with the digest that block should have, the bytes.

import { hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import { BLOCK_SIZE_BYTES } from "../../src/model/limits.ts";
import { BlockSet, type BlockSetOptions } from "../harness/blocks.ts";
import { serveParent } from "../harness/commands.ts";
import { listenLocally } from "../harness/listen.ts";

const idle: Buffer[] = [];

serveParent({
  async start({ path, blocks }: { readonly path: string; readonly blocks: BlockSetOptions }) {
    const set = new BlockSet(blocks);
    const file = await open(path, "w+");
    for (let i = 0; i < set.count; i++) await file.writev([...set.pieces(i)], i * BLOCK_SIZE_BYTES);
    await file.datasync();
    const server = createServer((req, res) => {
      const blockIndex = Number(/\/blocks\/([0-9]+)/.exec(req.url ?? "")?.[1]);
      const checksum = set.checksum(blockIndex);
      void send(res, { file, blockIndex, checksum });
    });
    return listenLocally(server);
  },
});

async function send(
  res: ServerResponse,
  block: { readonly file: FileHandle; readonly blockIndex: number; readonly checksum: string },
): Promise<void> {
  const { file, blockIndex, checksum } = block;
  const buffer = idle.pop() ?? Buffer.allocUnsafeSlow(BLOCK_SIZE_BYTES);
  await file.read(buffer, 0, BLOCK_SIZE_BYTES, blockIndex * BLOCK_SIZE_BYTES);
  const isRight = hash("sha256", buffer, "base64") === checksum;
  res.writeHead(isRight ? 200 : 500, {
    "x-amz-Checksum": checksum,
    "Content-Length": BLOCK_SIZE_BYTES,
  });
  res.end(buffer, () => idle.push(buffer));
}
