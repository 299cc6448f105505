/** Loaded into the operator of the bench: pods of simulated nodes have no network, and one server of the bench answers for them. */
import { Agent, type Dispatcher, setGlobalDispatcher } from "undici";
import { ADMIN_PORT } from "../../../contract/pod.ts";

const to = `http://127.0.0.1:${process.env.BENCH_PODS_PORT}`;

const toBench: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
  const { port } = new URL(String(options.origin));
  return dispatch(port === String(ADMIN_PORT) ? { ...options, origin: to } : options, handler);
};

setGlobalDispatcher(new Agent().compose(toBench));
