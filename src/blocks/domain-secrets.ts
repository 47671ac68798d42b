import type { KeyDomain } from "../model/ids.ts";

/**
 * Where the block store gets the secrets of encrypted domains from.
 */
export interface DomainSecrets {
  /**
   * The secrets of one encryption key, oldest first, `DOMAIN_SECRET_BYTES` each; the same array as
   * long as nothing has changed. Rejects when they cannot be had: the key was destroyed, or what
   * opens it is out of reach. Whether the key may be used is not asked here. With `isFresh`, they
   * are looked up where they are kept, for another process may have added one.
   */
  secretsOf(domain: KeyDomain, isFresh?: boolean): Promise<readonly Uint8Array[]>;
}
