"""Task sets made from a seed: any size, answers known by calculation, five levels of difficulty."""
