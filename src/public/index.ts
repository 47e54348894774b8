/** `latticegate`: a gateway within a program of your own. */
export { type Config, loadConfig, parseConfig } from "../app/config.ts";
export { type Gateway, startGateway } from "../app/gateway.ts";
export { systemClock, systemLog } from "../host/system.ts";
export { Refusal, type RefusalCode } from "../kernel/refusal.ts";
