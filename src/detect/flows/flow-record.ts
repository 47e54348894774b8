/** TLS records as they pass: what anybody on the way sees of a connection, and nothing of what it says. */

export interface FlowRecord {
  /** From any moment on; the same for all records of a flow. */
  readonly tMs: number;
  readonly from: "client" | "server";
  /** RFC 8446 §5.1: 20 change_cipher_spec, 21 alert, 22 handshake, 23 application data. */
  readonly type: number;
  /** Of the record without its header of five bytes. */
  readonly bytes: number;
  readonly connection: number;
}

export const recordTypes = { handshake: 22, data: 23 } as const;

/** Shorter ones are alerts and empty records: nothing was said. */
export const minSaidBytes = 31;
