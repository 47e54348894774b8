import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { seededRandom } from "../../kernel/seeded-random.ts";
import { type AlertBudget, alertBudget, type SeenSession } from "./alert-budget.ts";

const dayMs = 86_400_000;
const terms = { perDay: 20, falseShare: 0.1, leastScore: 0.6 };

/** Of that p-value. */
function scoreOf(p: number): number {
  return Math.min(1, -0.3 * Math.log10(p));
}

/** A session of a caller that has no other. */
function of(session: string): SeenSession {
  return { caller: session, session };
}

interface Day {
  /** Those of them that are attacks, evenly spread. */
  readonly attacks?: number;
  readonly day?: number;
}

/** A day of sessions, honest ones with p as it should be: anything from 0 to 1, as often. */
function dayOf(
  budget: AlertBudget,
  sessions: number,
  random: () => number,
  { attacks = 0, day = 0 }: Day = {},
) {
  const told = { honest: 0, attacks: 0 };
  for (let i = 0; i < sessions; i++) {
    const isAttack = Math.floor(((i + 1) * attacks) / sessions) > Math.floor((i * attacks) / sessions);
    const score = isAttack ? 0.98 : scoreOf(random());
    const nowUnixMs = Math.floor((day + i / sessions) * dayMs);
    budget.see(of(`${day} ${i}`), score, nowUnixMs);
    if (score >= terms.leastScore && score >= budget.threshold(nowUnixMs))
      told[isAttack ? "attacks" : "honest"]++;
  }
  return told;
}

describe("the budget of a day", () => {
  test("few sessions are told from the score that is worth an incident by itself", () => {
    const budget = alertBudget(terms);
    for (let i = 0; i < 900; i++) budget.see(of(`s${i}`), 0, 0);
    assert.equal(budget.threshold(0), 0.6);
  });

  test("the more honest sessions a day has, the odder one must be: half the budget is told in the mean", () => {
    for (const sessions of [1000, 5000, 20_000]) {
      const told = [1, 2, 3].map((seed) => {
        const [budget, random] = [alertBudget(terms), seededRandom(seed)];
        dayOf(budget, sessions, random);
        return dayOf(budget, sessions, random, { day: 1 }).honest;
      });
      const mean = told.reduce((sum, each) => sum + each, 0) / told.length;
      assert.ok(mean > 4 && mean <= 15, `${sessions}: ${told.join(" ")}`);
    }
  });

  test("on a day of which nothing is known yet, it is little more than the budget", () => {
    const { honest } = dayOf(alertBudget(terms), 5000, seededRandom(1));
    assert.ok(honest <= 1.6 * terms.perDay, String(honest));
  });

  test("where hundreds are attacks, nearly all are told, and few others", () => {
    const { honest, attacks } = dayOf(alertBudget(terms), 5400, seededRandom(7), { attacks: 400 });
    assert.ok(attacks >= 380, String(attacks));
    assert.ok(honest / (honest + attacks) <= 0.2, `${honest} of ${honest + attacks}`);
  });

  test("a session counts once, with its highest score, and a day later not at all", () => {
    const budget = alertBudget(terms);
    for (const score of [0.1, 0.7, 0.2]) budget.see(of("one"), score, 0);
    assert.equal(budget.sessions(0), 1);
    assert.equal(budget.sessions(dayMs + 3_600_000), 0);
  });

  test("what was told is remembered for a day, over a restart too", () => {
    const budget = alertBudget({ ...terms, perDay: 2 }, [0]);
    assert.ok(budget.hasRoom(1));
    budget.spend(1);
    assert.ok(!budget.hasRoom(2));
    assert.ok(budget.hasRoom(dayMs));
  });

  test("its memory is bounded, whatever sessions come", () => {
    const budget = alertBudget(terms);
    for (let i = 0; i < 50_000; i++) budget.see(of(`s${i}`), 0, 0);
    assert.equal(budget.sessions(0), 50_000, "all are counted, those that aren't known any more too");
  });

  test("a caller that begins sessions without number counts as fifty, and keeps nobody else's findings from being told", () => {
    const budget = alertBudget(terms);
    for (let i = 0; i < 22_000; i++) budget.see({ caller: "noisy", session: `s${i}` }, 0, i);
    assert.equal(budget.sessions(22_000), 51);
    assert.equal(budget.threshold(22_000), terms.leastScore);
    budget.see({ caller: "noisy", session: "later" }, 0, dayMs);
    assert.equal(budget.sessions(dayMs - 1) > 51, true, "a day later it begins anew");
  });
});
