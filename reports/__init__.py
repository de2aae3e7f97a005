"""How a record is read by people and machines: Record → str."""
