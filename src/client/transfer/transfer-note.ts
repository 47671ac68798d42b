/** Something about a transfer that its user should know, though it goes on. */
export interface TransferNote {
  /**
   * `resumed`: it goes on where an earlier run ended. `begun-anew`: there was nothing to go on
   * with. `source-changed`: what is read changed meanwhile. `partly-told`: something could not be
   * noted at the service, or could not be found out. `original-gone`: what was to be copied was
   * deleted meanwhile, and is passed over. `original-there`: a copy is not deleted after all.
   * `not-compared`: a copy is complete, but its original was deleted before both were compared.
   */
  readonly event:
    | "resumed"
    | "begun-anew"
    | "source-changed"
    | "partly-told"
    | "original-gone"
    | "original-there"
    | "not-compared";
  /** A whole sentence or two. */
  readonly message: string;
}
