/** The package brings no types; a test says for itself what it uses. */
declare module "oidc-provider" {
  // biome-ignore lint/suspicious/noExplicitAny: see above.
  const Provider: new (issuer: string, configuration: object) => any;
  export default Provider;
}
