/** Why a port cannot be opened, and what to change: the port, or the address that it is on. */
export const notOpened = (port: "http" | "grpc" | "admin", error: unknown): string => {
  const why = error instanceof Error ? error.message : String(error);
  const isAddress = /^(getaddrinfo|listen EADDRNOTAVAIL)/.test(why);
  const cure = isAddress ? "give an address of this machine with --host" : `choose another with --${port}-port`;
  return `the ${port} port cannot be opened: ${why}; ${cure}`;
};
