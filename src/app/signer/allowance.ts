/** How much may be signed: a bucket that holds `burst` and fills up again at `perSecond`. */
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";

export interface Allowance {
  /** @throws Refusal `busy` when nothing is left */
  readonly take: () => void;
}

export function allowance(
  of: { readonly what: string; readonly burst: number; readonly perSecond: number },
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Allowance {
  let left = of.burst;
  let atUnixMs = clock.nowUnixMs();
  let wasTold = false;
  return {
    take: () => {
      const now = clock.nowUnixMs();
      left = Math.min(of.burst, left + (Math.max(0, now - atUnixMs) / 1000) * of.perSecond);
      atUnixMs = now;
      if (left >= 1) {
        left -= 1;
        if (left > of.burst / 2) wasTold = false;
        return;
      }
      // Once for each flood: the log is to be read, not filled.
      if (!wasTold) log.error("signer.limited", { what: of.what, per_second: of.perSecond });
      wasTold = true;
      throw new Refusal("busy", `More ${of.what} than ${of.perSecond} a second aren't signed.`);
    },
  };
}
