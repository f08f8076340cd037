export {
  SecretServiceDaemon,
  secretServiceSkipReason,
} from "../../packages/store-keychain/tests/support/secret-service-daemon.ts";
