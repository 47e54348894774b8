/** A whole connection document: it must load as written, with what isn't built answering "not yet". */
export const mission = `connection:
  name: "pharmacy-inventory-sync"
  protocol: "mcp-pqc"
  security_level: "quantum_hardened"
  schema_source: "./api/swagger.json"
  threat_detection: true
  tools:
    - name: "get_stock_levels"
      endpoint: "/v1/inventory/query"
      pqc_signing: "ml-dsa"
  resources:
    - uri: "mcp://inventory-db/pharmacy-records"
      description: "Real-time access to drug stock"
p2p_connectivity:
  enforce_pqc: true
  allowed_algos: ["ML-KEM-768", "ML-DSA-65"]
threat_detection:
  block_downgrade_attempts: true
  alert_on_latency_spike: true
`;
