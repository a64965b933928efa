// Written by `ship export --format typescript` from the release records. Do not edit.

export const addresses = {
  base: {
    chainId: 8453,
    chain: "base",
    version: "1.1.0",
    contracts: {
      AcmeVault: "0x00000000000000000000000000000000000000B0",
      FeePolicy: "0x00000000000000000000000000000000000000C0",
      Registry: "0x00000000000000000000000000000000000000a0",
      Strategy: "0x00000000000000000000000000000000000000d0",
    },
    implementations: {
      AcmeVault: "0x00000000000000000000000000000000000000B1",
      FeePolicy: "0x00000000000000000000000000000000000000C1",
      Strategy: "0x00000000000000000000000000000000000000D1",
    },
    admins: {
      FeePolicy: "0x00000000000000000000000000000000000000c2",
    },
    beacons: {
      Strategy: "0x00000000000000000000000000000000000000D2",
    },
  },
  "base-sepolia": {
    chainId: 84532,
    chain: "base-sepolia",
    version: "1.1.0",
    contracts: {
      AcmeVault: "0x00000000000000000000000000000000000000b5",
      FeePolicy: "0x00000000000000000000000000000000000000C0",
      Registry: "0x00000000000000000000000000000000000000a0",
      Strategy: "0x00000000000000000000000000000000000000d0",
    },
    implementations: {
      AcmeVault: "0x00000000000000000000000000000000000000B1",
      FeePolicy: "0x00000000000000000000000000000000000000C1",
      Strategy: "0x00000000000000000000000000000000000000D1",
    },
    admins: {
      FeePolicy: "0x00000000000000000000000000000000000000c2",
    },
    beacons: {
      Strategy: "0x00000000000000000000000000000000000000D2",
    },
  },
} as const;

export type Target = keyof typeof addresses;
export type ContractName<T extends Target = Target> = keyof (typeof addresses)[T]["contracts"];
