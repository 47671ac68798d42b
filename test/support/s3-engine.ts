/** A real object store, running. */
export interface S3Engine {
  /** With its version. */
  readonly name: string;
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Has it go away, connections and all; what it stored stays. */
  stop(): Promise<void>;
  /** Has it come back under the same address. */
  start(): Promise<void>;
  /** Has it hang: it takes connections and does nothing with them. */
  freeze(): void;
  thaw(): void;
  close(): Promise<void>;
}
