/** A server of example models inside the cluster, over http and https, and the certificate authority that signed it. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const openssl = (args: readonly string[]) => run("openssl", args);

export const MODELS_NAMESPACE = "berth-models";
export const MODELS_HOST = `models.${MODELS_NAMESPACE}.svc`;

export type Certificates = { authority: string; certificate: string; key: string };

/** A certificate authority of a week, and a server certificate for `host` that it signed (PEM). */
export const makeCertificates = async (host: string): Promise<Certificates> => {
  const folder = await mkdtemp(join(tmpdir(), "berth-certificates-"));
  const file = (name: string) => join(folder, name);
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  try {
    await openssl([
      ...["req", "-x509", ...newKey, "-keyout", file("ca.key"), "-out", file("ca.crt"), "-days", "7"],
      ...["-subj", "/CN=Berth example authority"],
    ]);
    await openssl(["req", ...newKey, "-keyout", file("tls.key"), "-out", file("tls.csr"), "-subj", `/CN=${host}`]);
    await writeFile(file("extensions"), `subjectAltName=DNS:${host},DNS:${host}.cluster.local\n`);
    await openssl([
      ...["x509", "-req", "-in", file("tls.csr"), "-CA", file("ca.crt"), "-CAkey", file("ca.key"), "-CAcreateserial"],
      ...["-days", "7", "-out", file("tls.crt"), "-extfile", file("extensions")],
    ]);
    const [authority, certificate, key] = await Promise.all(
      ["ca.crt", "tls.crt", "tls.key"].map((name) => readFile(file(name), "utf8")),
    );
    return { authority: authority ?? "", certificate: certificate ?? "", key: key ?? "" };
  } finally {
    await rm(folder, { recursive: true });
  }
};

const RESTRICTED = { "pod-security.kubernetes.io/enforce": "restricted" };

export const restrictedPod = {
  automountServiceAccountToken: false,
  enableServiceLinks: false,
  terminationGracePeriodSeconds: 1,
  securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } },
};
export const restrictedContainer = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
};

/** A namespace that refuses every pod that is not `restricted`. */
export const restrictedNamespace = (name: string): object => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels: RESTRICTED },
});

/** The authority as the ConfigMap that the examples name in `model.caBundle`. */
export const authorityConfigMap = (namespace: string, authority: string): object => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "models-ca", namespace },
  data: { "ca.crt": authority },
});

export type ModelServer = { image: string; namespace: string; certificates: Certificates; authorization?: string };

/** Certificate, server and Service: models.NAMESPACE.svc. `authorization`: what its `/auth/…` wants to see. */
export const modelServer = (server: ModelServer): object[] => {
  const { authorization, image, namespace } = server;
  const { certificate, key } = server.certificates;
  const env = authorization === undefined ? [] : [{ name: "AUTHORIZATION", value: authorization }];
  return [
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "models-tls", namespace },
      type: "kubernetes.io/tls",
      stringData: { "tls.crt": certificate, "tls.key": key },
    },
    {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "models", namespace },
      spec: {
        selector: { matchLabels: { app: "models" } },
        template: {
          metadata: { labels: { app: "models" } },
          spec: {
            ...restrictedPod,
            containers: [
              {
                name: "server",
                image,
                env,
                imagePullPolicy: "IfNotPresent",
                ports: [{ containerPort: 8080 }, { containerPort: 8443 }],
                readinessProbe: { tcpSocket: { port: 8443 }, periodSeconds: 1 },
                securityContext: restrictedContainer,
                resources: { requests: { cpu: "20m", memory: "64Mi" } },
                volumeMounts: [
                  { name: "tls", mountPath: "/etc/tls" },
                  { name: "tmp", mountPath: "/tmp" },
                ],
              },
            ],
            volumes: [
              { name: "tls", secret: { secretName: "models-tls" } },
              { name: "tmp", emptyDir: {} },
            ],
          },
        },
      },
    },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "models", namespace },
      spec: {
        selector: { app: "models" },
        ports: [
          { name: "http", port: 8080 },
          { name: "https", port: 8443 },
        ],
      },
    },
  ];
};

/** Namespace, server, and a client pod that only waits to run requests. */
export const modelServerManifests = (image: string, certificates: Certificates): object[] => [
  restrictedNamespace(MODELS_NAMESPACE),
  ...modelServer({ image, namespace: MODELS_NAMESPACE, certificates }),
  {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "client", namespace: MODELS_NAMESPACE },
    spec: {
      ...restrictedPod,
      containers: [
        {
          name: "client",
          image,
          imagePullPolicy: "IfNotPresent",
          command: ["/usr/local/bin/node", "-e", "setInterval(() => {}, 1e9)"],
          securityContext: restrictedContainer,
          resources: { requests: { cpu: "20m", memory: "64Mi" } },
        },
      ],
    },
  },
];
