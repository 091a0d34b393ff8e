"""The HTTPS update server: what esp_https_ota, Arduino's HTTPUpdate and Deploy the Fleet's libraries connect to."""
