/** Questions to the file of traffic, and the entries of changes, in a thread of their own. */
import { answerOrders } from "../thread.ts";
import { trafficWork } from "./traffic-work.ts";

answerOrders(trafficWork());
