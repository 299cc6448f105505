import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./commands.ts";
import { controlNode, network, type Plan, paths } from "./plan.ts";

/** A certificate that the cluster's authority signs. Kubernetes takes the user's name from CN and the groups from O. */
type Identity = { file: string; subject: string; names: string };

const identities = (plan: Plan): Identity[] => {
  const { address, ipv6 } = controlNode(plan);
  const second = ipv6 === undefined ? [] : [network.ipv6.apiService, ipv6.address];
  const addresses = ["127.0.0.1", network.apiService, address, ...second].map((ip) => `IP:${ip}`);
  const service = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"];
  const hosts = ["localhost", ...service, `kubernetes.default.svc.${network.domain}`].map((host) => `DNS:${host}`);
  const client = (file: string, subject: string): Identity => ({ file, subject, names: `DNS:${file}` });
  return [
    { file: "apiserver", subject: "/CN=kube-apiserver", names: [...addresses, ...hosts].join(",") },
    client("admin", "/O=system:masters/CN=admin"),
    client("front-proxy", "/CN=front-proxy"),
    client("kube-controller-manager", "/CN=system:kube-controller-manager"),
    client("kube-scheduler", "/CN=system:kube-scheduler"),
    client("kube-proxy", "/CN=system:kube-proxy"),
    ...plan.nodes.map((node) => client(node.name, `/O=system:nodes/CN=system:node:${node.name}`)),
  ];
};

/** The files of a certificate and its key, below the instance's directory. */
export const certificate = (plan: Plan, file: string) => ({
  certificate: join(paths(plan).certificates, `${file}.crt`),
  key: join(paths(plan).certificates, `${file}.key`),
});

/** Signs the tokens of service accounts. */
export const serviceAccountKey = (plan: Plan) => ({
  key: join(paths(plan).certificates, "service-account.key"),
  publicKey: join(paths(plan).certificates, "service-account.pub"),
});

// P-256 keys: a whole set takes a fraction of a second.
const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"];
const lifetime = ["-days", "365"];

/** Makes an authority for this instance alone, and everyone's certificate. */
export const makeCertificates = async (plan: Plan): Promise<void> => {
  const directory = paths(plan).certificates;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const ca = certificate(plan, "ca");
  const account = serviceAccountKey(plan);
  const subject = ["-subj", `/CN=${plan.name}-authority`];
  await Promise.all([
    run(["openssl", "req", "-x509", ...newKey, "-keyout", ca.key, "-out", ca.certificate, ...lifetime, ...subject]),
    run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", account.key]),
  ]);
  const extensions = join(directory, "openssl.cnf");
  // Without the default configuration's extensions: a leaf must not claim to be an authority.
  await writeFile(extensions, "[req]\ndistinguished_name=name\n[name]\n");
  const issue = ({ file, subject, names }: Identity) => {
    const to = certificate(plan, file);
    return run([
      ...["openssl", "req", "-x509", ...newKey, "-config", extensions, "-CA", ca.certificate, "-CAkey", ca.key],
      ...["-subj", subject, ...lifetime, "-keyout", to.key, "-out", to.certificate],
      ...["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "keyUsage=critical,digitalSignature"],
      ...["-addext", "extendedKeyUsage=serverAuth,clientAuth", "-addext", `subjectAltName=${names}`],
    ]);
  };
  await Promise.all([
    run(["openssl", "ec", "-in", account.key, "-pubout", "-out", account.publicKey]),
    ...identities(plan).map(issue),
  ]);
};
