/**
 * What the secrets of all encryption keys are kept under; itself kept outside of the store. A
 * secret that one of them wrapped can be unwrapped by that one only, in the same context.
 */
export interface KeyEncryptionKey {
  /** Names it, without telling anything of it; stored beside what it wrapped. */
  readonly id: string;
  /** Seals a secret of `DOMAIN_SECRET_BYTES`; the context is bound to it. Answers base64. */
  wrap(secret: Uint8Array, context: string): Promise<string>;
  /** Gets the secret back. Rejects when it cannot, or when it was wrapped in another context. */
  unwrap(sealed: string, context: string): Promise<Uint8Array>;
}
