export type { Answer, Limit, Status } from './answer.ts';
export { type CheckOptions, type ConnectOptions, connect, type FailurePolicy, type Weir } from './client.ts';
export {
  CancelledError,
  DeadlineError,
  NotReadyError,
  OverloadedError,
  RequestError,
  ServiceError,
  UnavailableError,
  WeirError,
} from './errors.ts';
export type { Descriptor, DescriptorWords, Entries } from './request.ts';
export type { Health, Tls } from './server.ts';
export type { Unit } from './unit.ts';
