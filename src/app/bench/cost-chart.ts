/** What was measured as a picture: a section for each kind of row, with panels of bars. */
import { significant, standingOf } from "./cost-tables.ts";
import { type Bar, drawChart, type Section } from "./draw-chart.ts";
import type { HandshakeCost, HandshakeCosts, KeyExchangeCost, SignatureCost } from "./handshake-costs.ts";

/** One SVG document. */
export function costChart(costs: HandshakeCosts): string {
  const { cpu, cores, node, openssl } = costs.machine;
  return drawChart({
    title: "What post-quantum handshakes cost",
    subtitle: `${cpu}, ${cores} ${cores === 1 ? "core" : "cores"} · Node ${node} · OpenSSL ${openssl} · medians of ${costs.rounds} interleaved rounds`,
    footer: "latticegate bench handshake · shorter is better · a bar with a gap is longer than it is drawn",
    sections: [handshakeSection(costs), keyExchangeSection(costs), signatureSection(costs)].filter(
      ({ rows }) => rows.length > 0,
    ),
  });
}

function handshakeSection({ handshakes }: HandshakeCosts): Section {
  return {
    title: "Mutual TLS 1.3 handshakes: identities of both ends + group",
    rows: handshakes.map(rowOf),
    panels: [
      {
        title: "On the wire",
        legend: ["client sends", "server sends"],
        bars: handshakes.map(({ clientBytes, serverBytes, totalBytes }) => ({
          parts: [clientBytes, serverBytes],
          label: size(totalBytes),
        })),
      },
      {
        title: "Latency over loopback",
        bars: handshakes.map(({ latencyUs }) => single(latencyUs.median)),
      },
      {
        title: "CPU time",
        legend: ["client", "server"],
        bars: handshakes.map(({ clientCpuUs, serverCpuUs }) => ({
          parts: [clientCpuUs.median, serverCpuUs.median],
          label: milliseconds(clientCpuUs.median + serverCpuUs.median),
        })),
      },
    ],
  };
}

function keyExchangeSection({ keyExchanges }: HandshakeCosts): Section {
  return {
    title: "Key exchanges by themselves, both ends",
    rows: keyExchanges.map(rowOf),
    panels: [
      {
        title: "On the wire",
        legend: ["public key", "message"],
        bars: keyExchanges.map(({ publicKeyBytes, messageBytes, totalBytes }) => ({
          parts: [publicKeyBytes, messageBytes],
          label: size(totalBytes),
        })),
      },
      { title: "Latency", bars: keyExchanges.map(({ latencyUs }) => single(latencyUs.median)) },
      { title: "CPU time", bars: keyExchanges.map(({ cpuUs }) => single(cpuUs.median)) },
    ],
  };
}

function signatureSection({ signatures }: HandshakeCosts): Section {
  const perOperation = (perSecond: number): Bar => single(1_000_000 / perSecond);
  return {
    title: "Signatures by themselves",
    rows: signatures.map(rowOf),
    panels: [
      {
        title: "On the wire",
        legend: ["public key", "signature"],
        bars: signatures.map(({ publicKeyBytes, signatureBytes }) => ({
          parts: [publicKeyBytes, signatureBytes],
          label: size(publicKeyBytes + signatureBytes),
        })),
      },
      {
        title: "CPU time to sign",
        bars: signatures.map(({ signsPerCpuSecond }) => perOperation(signsPerCpuSecond.median)),
      },
      {
        title: "CPU time to verify",
        bars: signatures.map(({ verifiesPerCpuSecond }) => perOperation(verifiesPerCpuSecond.median)),
      },
    ],
  };
}

function rowOf(cost: HandshakeCost | KeyExchangeCost | SignatureCost): Section["rows"][number] {
  const standing = standingOf(cost);
  return { name: cost.name, pills: cost.profiles, remark: standing === "–" ? "" : standing };
}

function single(us: number): Bar {
  return { parts: [us], label: milliseconds(us) };
}

function milliseconds(us: number): string {
  return `${significant(us / 1000)} ms`;
}

function size(bytes: number): string {
  return bytes < 1000 ? `${bytes} B` : `${significant(bytes / 1000)} kB`;
}
