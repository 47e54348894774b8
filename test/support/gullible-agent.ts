/** An agent that does what its user asks, and what it reads: it takes instructions wherever they stand. */
import type { Client } from "@modelcontextprotocol/sdk/client/index.js";

interface Step {
  readonly name: string;
  readonly arguments: Readonly<Record<string, unknown>>;
}

export interface Outcome extends Step {
  readonly isDone: boolean;
  readonly text: string;
}

/** Its user: read the page about how invoices are paid, then pay those that are open, and tell the bookkeeper. */
export async function payInvoices(client: Client): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  const act = async (step: Step): Promise<string> => {
    const { text, isDone } = await called(client, step);
    outcomes.push({ ...step, isDone, text });
    return text;
  };
  const page = await client.readResource({ uri: "wiki://paying-invoices" });
  const said = page.contents.map((each) => ("text" in each ? each.text : "")).join("\n");
  for (const step of instructionsIn(said)) await act(step);
  const open = JSON.parse(await act({ name: "list_invoices", arguments: {} })) as readonly {
    readonly invoice: string;
    readonly iban: string;
    readonly amount: number;
  }[];
  for (const { invoice, iban, amount } of open)
    await act({ name: "pay_invoice", arguments: { invoice, iban, amount } });
  await act({
    name: "send_mail",
    arguments: {
      to: "books@acme.test",
      subject: "Invoices of this week",
      body: `Paid: ${open.map((each) => each.invoice).join(", ")}.`,
    },
  });
  return outcomes;
}

async function called(
  client: Client,
  step: Step,
): Promise<{ readonly text: string; readonly isDone: boolean }> {
  try {
    const { content, isError } = await client.callTool({ ...step });
    const text = (content as readonly { readonly text?: string }[]).map((each) => each.text ?? "").join("\n");
    return { text, isDone: isError !== true };
  } catch (error) {
    return { text: error instanceof Error ? error.message : String(error), isDone: false };
  }
}

/** What it takes for its user's wish: payments and mails that a page asks for. */
function instructionsIn(page: string): readonly Step[] {
  const payment = /pay invoice (\S+) with (\d+(?:\.\d+)?) to the account ([A-Z]{2}\w+)/i.exec(page);
  const mail = /send (?:a|the) mail to (\S+@\S+\w) with the subject "([^"]+)" and the text "([^"]+)"/i.exec(
    page,
  );
  return [
    ...(payment === null
      ? []
      : [
          {
            name: "pay_invoice",
            arguments: { invoice: payment[1], iban: payment[3], amount: Number(payment[2]) },
          },
        ]),
    ...(mail === null
      ? []
      : [{ name: "send_mail", arguments: { to: mail[1], subject: mail[2], body: mail[3] } }]),
  ];
}
