import type { Extent } from "../../model/extent.ts";
import type { ParentBlock } from "./parent-blocks.ts";
import { Peekable } from "./peekable.ts";

/** A block to look at: one of the image, one of the parent, or both. */
export interface PlannedBlock {
  readonly blockIndex: number;
  /** False where the image has a hole or has ended. */
  readonly isInImage: boolean;
  readonly parent: ParentBlock | undefined;
}

/** What a plan is made of; each ascending by block index. */
export interface PlanSources {
  readonly image: AsyncIterable<Extent>;
  readonly parent: AsyncIterator<ParentBlock> | undefined;
  /** Blocks that an earlier run has sent. */
  readonly sent?: Iterable<number> | undefined;
}

/** Every block that the image or the parent has, or was sent, ascending by block index. */
export async function* planBlocks(sources: PlanSources): AsyncGenerator<PlannedBlock> {
  const image = new Peekable(blockIndexesOf(sources.image));
  const parent = new Peekable(sources.parent);
  const sent = new Peekable(sources.sent?.[Symbol.iterator]());
  try {
    for (;;) {
      const own = await image.peek();
      const inherited = await parent.peek();
      const earlier = await sent.peek();
      const blockIndex = Math.min(
        own ?? Number.POSITIVE_INFINITY,
        inherited?.blockIndex ?? Number.POSITIVE_INFINITY,
        earlier ?? Number.POSITIVE_INFINITY,
      );
      if (blockIndex === Number.POSITIVE_INFINITY) return;
      const isInImage = own === blockIndex;
      const isInParent = inherited?.blockIndex === blockIndex;
      if (isInImage) image.take();
      if (isInParent) parent.take();
      if (earlier === blockIndex) sent.take();
      yield { blockIndex, isInImage, parent: isInParent ? inherited : undefined };
    }
  } finally {
    await image.end();
  }
}

/** The block indexes of extents, one by one. */
export async function* blockIndexesOf(extents: AsyncIterable<Extent>): AsyncGenerator<number> {
  for await (const { start, count } of extents) {
    for (let blockIndex = start; blockIndex < start + count; blockIndex++) yield blockIndex;
  }
}
