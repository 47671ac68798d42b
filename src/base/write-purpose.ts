/**
 * What a write is for: data that may as well be refused, or the keeping of what is there, which
 * goes on also on a full disk.
 */
export type WritePurpose = "new-data" | "upkeep";
