print(f"training images: {len(train_data)}")  # 50000
print(f"test images: {len(test_data)}")  # 10000
# The loaders count batches, and know their data:
print(f"batches per epoch: {len(train_loader)}, images: {len(train_loader.dataset)}")
