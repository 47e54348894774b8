/**
 * What a sandboxed server may not ask of the kernel, because no namespace holds it: sockets of other families than the
 * usual (AF_VSOCK leads to a virtual machine's host), io_uring, which makes sockets past any such filter, the kernel's
 * keyrings, and a few that servers don't need and holes were found in. As a program for seccomp (classic BPF, seccomp(2)).
 */
interface Architecture {
  /** AUDIT_ARCH_… */
  readonly audit: number;
  readonly socket: number;
  readonly refused: readonly number[];
  /** From here on numbers mean another way to call (x32). */
  readonly otherFrom?: number;
}

/** `refused`: io_uring_setup, add_key, request_key, keyctl, bpf, perf_event_open, userfaultfd. */
const architectures: Readonly<Partial<Record<NodeJS.Architecture, Architecture>>> = {
  x64: {
    audit: 0xc000_003e,
    socket: 41,
    refused: [425, 248, 249, 250, 321, 298, 323],
    otherFrom: 0x4000_0000,
  },
  arm64: { audit: 0xc000_00b7, socket: 198, refused: [425, 217, 218, 219, 280, 241, 282] },
};

/** AF_UNIX, AF_INET, AF_INET6, AF_NETLINK: all but the first are the sandbox's own. */
const families = [1, 2, 10, 16];

const load = 0x20;
const jumpIfEqual = 0x15;
const jumpIfAtLeast = 0x35;
const answer = 0x06;
/** Offsets in `struct seccomp_data`; of the first argument the lower half. */
const at = { number: 0, architecture: 4, firstArgument: 16 } as const;
const allowed = 0x7fff_0000;
const noSuchCall = 0x0005_0000 + 38;
const noSuchFamily = 0x0005_0000 + 97;

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, k: number];

/** @returns undefined for architectures whose numbers aren't known here */
export function systemCallFilter(arch: NodeJS.Architecture): Uint8Array | undefined {
  const known = architectures[arch];
  if (known === undefined) return undefined;
  const { audit, socket, refused, otherFrom } = known;
  const sockets: readonly Instruction[] = [
    [load, 0, 0, at.firstArgument],
    ...families.flatMap((family) => when([jumpIfEqual, 0, 1, family], allowed)),
    [answer, 0, 0, noSuchFamily],
  ];
  const program: readonly Instruction[] = [
    [load, 0, 0, at.architecture],
    [jumpIfEqual, 1, 0, audit],
    [answer, 0, 0, noSuchCall],
    [load, 0, 0, at.number],
    ...(otherFrom === undefined ? [] : when([jumpIfAtLeast, 0, 1, otherFrom], noSuchCall)),
    ...refused.flatMap((number) => when([jumpIfEqual, 0, 1, number], noSuchCall)),
    [jumpIfEqual, 0, sockets.length, socket],
    ...sockets,
    [answer, 0, 0, allowed],
  ];
  return encoded(program);
}

function when(test: Instruction, verdict: number): readonly Instruction[] {
  return [test, [answer, 0, 0, verdict]];
}

/** `struct sock_filter`, in the byte order that both architectures have. */
function encoded(program: readonly Instruction[]): Uint8Array {
  const bytes = Buffer.alloc(program.length * 8);
  for (const [index, [code, ifTrue, ifFalse, k]] of program.entries()) {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(ifTrue, index * 8 + 2);
    bytes.writeUInt8(ifFalse, index * 8 + 3);
    bytes.writeUInt32LE(k, index * 8 + 4);
  }
  return bytes;
}
